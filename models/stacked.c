/* stacked.c: a deep autoencoder that is trained one layer at a time, then as a whole (Hinton &
 * Salakhutdinov 2006; Bengio et al. 2007). Autoencoder k has one layer each way,
 *
 *     h_k = sigmoid(E_k x_k),  y_k = sigmoid(D_k h_k),  minimise BCE(y_k, x_k)
 *
 *     variant=plain   x_1 = x,  x_k+1 = h_k             each learns the codes of the one before
 *     variant=concat  x_1 = x,  x_k+1 = [x_k, y_k]      each gets what the one before got and gave,
 * side by side: inputs double, as in the source's code
 *
 * For layer_epochs epochs each, autoencoder k alone is trained, those before it frozen; from then
 * on the whole, from x to h_L and back, by BCE(y, x). Back is D_L ... D_1; of concat's last output
 * it is the first part, which stands for x. pretrain=false trains the whole from the start: the
 * same network from scratch. tied=true makes D_k the transpose of E_k: one weight, with biases of
 * their own.
 *
 * The phase follows from the epoch alone, so a training that goes on is in the right one.
 * Validation is always of the whole; so early stopping needs patience for all the pretraining. In
 * the log `phase` is the layer that is trained, the number of layers plus one for the whole. */
#include "models/zoo.h"

static const tr_option options[] = {
    { "hidden", TR_OPTION_SIZES, "256,128,64", 1, 65536, NULL,
      "layers of the encoder, separated by commas; the last is the code" },
    { "variant", TR_OPTION_CHOICE, "plain", 0, 0, "plain|concat",
      "what the next autoencoder learns: codes, or inputs and outputs side by side" },
    { "pretrain", TR_OPTION_BOOL, "true", 0, 0, NULL, "train layer by layer first" },
    { "layer_epochs", TR_OPTION_INT, "5", 1, 1000000, NULL, "epochs for each layer" },
    { "tied", TR_OPTION_BOOL, "false", 0, 0, NULL,
      "decoders use the encoders' weights, transposed" },
    { 0 },
};

typedef struct stacked {
    tr_module *encoder[TR_MAX_SIZES], *decoder[TR_MAX_SIZES]; /* of each autoencoder */
    int        count;
    bool       concat;
    int64_t    pretraining; /* epochs of each layer; 0: none */
} stacked;

static tr_status build(tr_model *m)
{
    int64_t  hidden[TR_MAX_SIZES], in = m->pixels;
    stacked *s = m->self = tr_scope_alloc(sizeof *s);
    if (s == NULL) return tr_status_get();
    s->count = tr_settings_sizes(m->settings, "hidden", hidden);
    s->concat = tr_settings_is(m->settings, "variant", "concat");
    const bool tied = tr_settings_bool(m->settings, "tied");
    if (tr_settings_bool(m->settings, "pretrain"))
        s->pretraining = tr_settings_int(m->settings, "layer_epochs");
    if (s->count < 1) return tr_fail(TR_ERR_VALUE, "option hidden: at least one layer is needed");
    tr_module *encoders = tr_nn_sequence(NULL, 0), *decoders = tr_nn_sequence(NULL, 0);
    for (int k = 0; k < s->count; k++) {
        s->encoder[k] = tr_nn_linear(in, hidden[k], TR_SIGMOID);
        s->decoder[k] = tied ? tr_nn_linear_transposed(s->encoder[k], TR_IDENTITY)
                             : tr_nn_linear(hidden[k], in, TR_IDENTITY);
        tr_nn_append(encoders, s->encoder[k]);
        tr_nn_append(decoders, s->decoder[k]);
        in = s->concat ? 2 * in : hidden[k];
    }
    return tri_autoencoder(m, encoders, decoders);
}

/* x_k for pictures as rows; k counts from 0. */
static tr_tensor *input_of(const stacked *s, tr_tensor *rows, int k)
{
    tr_tensor *x = rows;
    for (int i = 0; i < k; i++) {
        tr_tensor *h = tr_forward(s->encoder[i], x);
        if (s->concat) {
            tr_tensor *y = tr_sigmoid(tr_forward(s->decoder[i], h));
            h = tr_concat((tr_tensor *[]){ x, y }, 2, 1);
        }
        x = h;
    }
    return x;
}

static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    const stacked *s = m->self;
    return tr_forward(s->encoder[s->count - 1], input_of(s, tri_rows(x), s->count - 1));
}

/* The logits of the pictures, as rows. */
static tr_tensor *output_of(const tr_model *m, tr_tensor *h)
{
    const stacked *s = m->self;
    if (s->concat) return tr_narrow(tr_forward(s->decoder[s->count - 1], h), 1, 0, m->pixels);
    for (int i = s->count - 1; i > 0; i--) h = tr_sigmoid(tr_forward(s->decoder[i], h));
    return tr_forward(s->decoder[0], h);
}

static tr_tensor *decode(tr_model *m, tr_tensor *z)
{
    return tri_pictures(m, tr_sigmoid(output_of(m, z)));
}

/* The autoencoder that is trained now; count for the whole. */
static int phase_of(const tr_model *m)
{
    const stacked *s = m->self;
    const double   last = (double)s->pretraining * s->count;
    return m->net->training && m->epoch < last ? (int)(m->epoch / (double)s->pretraining)
                                               : s->count;
}

static tr_tensor *layer_loss(const tr_model *m, tr_tensor *rows, int k)
{
    const stacked *s = m->self;
    const bool     recording = tr_set_recording(false); /* what comes before is frozen */
    tr_tensor     *x = input_of(s, rows, k);
    tr_set_recording(recording);
    tr_tensor *raw = tr_forward(s->decoder[k], tr_forward(s->encoder[k], x));
    return k == 0 ? tri_reconstruction_loss(m, TRI_BCE, TR_SIGMOID, raw, x)
                  : tr_bce_with_logits(raw, x, TR_MEAN);
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    const stacked *s = m->self;
    const int      phase = phase_of(m);
    tr_tensor     *rows = tri_rows(x);
    tr_tensor     *error = phase < s->count ? layer_loss(m, rows, phase)
                                            : tri_reconstruction_loss(m, TRI_BCE, TR_SIGMOID,
                                                                      output_of(m, encode(m, x)), rows);
    tr_terms       terms = { 0 };
    terms.loss = tri_add_term(&terms, "reconstruction", error);
    tri_add_term(&terms, "phase", tr_scalar(x->dtype, phase + 1));
    return terms;
}

#define LAYERS(part)                                                                               \
    "        " part "s = [m for name, m in self.named_children() if name.startswith('" part "_')]" \
    "\n"

static const char *torch(const tr_model *m, bool decoding)
{
    const stacked *s = m->self;
    if (decoding && s->concat)
        return LAYERS("decoder") "        x = torch.sigmoid(decoders[-1](x))\n"
                                 "        x = x[:, :x.shape[1] >> (len(decoders) - 1)]\n";
    if (decoding)
        return LAYERS("decoder") "        for decoder in reversed(decoders):\n"
                                 "            x = torch.sigmoid(decoder(x))\n";
    if (!s->concat) return "        x = self.encoder(x)\n";
    return LAYERS("encoder")
        LAYERS("decoder") "        for encoder, decoder in zip(encoders[:-1], decoders[:-1]):\n"
                          "            y = torch.sigmoid(decoder(torch.sigmoid(encoder(x))))\n"
                          "            x = torch.cat((x, y), 1)\n"
                          "        x = torch.sigmoid(encoders[-1](x))\n";
}

const tr_model_type tri_model_stacked = {
    .name = "stacked",
    .summary = "trained layer by layer, then as a whole",
    .source = "lecture notes, stacked autoencoder; Bengio et al. 2007",
    .unit = TR_PER_PIXEL,
    .options = options,
    .batch = 256,
    .epochs = 30,
    .lr = 1e-3,
    .build = build,
    .loss = loss,
    .encode = encode,
    .decode = decode,
    .torch = torch,
};
