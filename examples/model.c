/* model.c: a model of your own, trained by the zoo's trainer: an autoencoder whose code is kept on the
 * unit sphere. With a directory in place of NULL the run is saved, resumable and has a report.
 * docs/training.md tells what else can be asked for. */
#include <tenrec.h>
#include <stdio.h>

static tr_status build(tr_model *m)
{
    m->net = tr_nn_sequential(tr_nn_linear(m->pixels, 16, TR_IDENTITY),
                              tr_nn_linear(16, m->pixels, TR_IDENTITY), NULL);
    return tr_status_get();
}

static tr_tensor *encode(tr_model *m, tr_tensor *x)
{
    tr_tensor *h = tr_forward(m->net->first_child, tr_flatten(x, 1)); /* [N, 16] */
    return tr_div(h, tr_sqrt(tr_add_scalar(tr_sum(tr_square(h), TR_AXES(1), true), 1e-6)));
}

static tr_tensor *raw(tr_model *m, tr_tensor *z)
{
    return tr_forward(m->net->first_child->next, z);
}

static tr_tensor *decode(tr_model *m, tr_tensor *z)
{
    const int64_t *d = m->input.dim;
    return tr_reshape(tr_sigmoid(raw(m, z)), TR_SHAPE(tr_dim(z, 0), d[0], d[1], d[2]));
}

static tr_terms loss(tr_model *m, tr_tensor *x, tr_tensor *labels, tr_rng *rng)
{
    (void)labels;
    (void)rng;
    return (tr_terms){ .loss = tr_bce_with_logits(raw(m, encode(m, x)), tr_flatten(x, 1), TR_MEAN) };
}

static const tr_option     options[] = { { 0 } };
static const tr_model_type sphere = {
    .name = "sphere", .summary = "a code on the unit sphere", .options = options,
    .batch = 128, .epochs = 2, .lr = 2e-3,
    .build = build, .loss = loss, .encode = encode, .decode = decode,
};

/* Hooks: called after each step and each epoch; what they do does not change the training. */
static void on_step(void *context, const tr_progress *p)
{
    double *best = context;
    if (p->step == 1 || p->loss < *best) *best = p->loss;
}

static void on_epoch(void *context, const tr_run *run, const tr_epoch *row)
{
    printf("epoch %d of %d  train %.4f (at best %.4f)  val %.4f\n", (int)row->epoch,
           (int)run->options.epochs, tr_metric(&row->train, "loss"), *(double *)context,
           tr_metric(&row->val, "loss"));
}

int main(void)
{
    double      best = 0;
    tr_dataset *digits = tr_dataset_open("digits", NULL);
    tr_model   *model = tr_model_new(&sphere, NULL, TR_SHAPE(28, 28, 1), 10, 7);
    tr_run     *run = tr_run_new(NULL, model, digits,
                                 &(tr_train_options){ .limit = 10000, .val_limit = 2000, .clip_norm = 1,
                                                      .schedule = TR_RATE_COSINE, .warmup = 20 });
    tr_run_train(run, &(tr_callbacks){ .context = &best, .step = on_step, .epoch = on_epoch });
    return tr_status_print();
}
