/* export.c: a model for PyTorch: weights as safetensors, and a Python file that defines the module.
 *
 * A model is written as layers in turn: encoder, then mean where there is one, decoder, then what
 * makes pixels of its result. Whether that is all it does is found by computing it, and comparing
 * with what the model computes. Models that do more say themselves how PyTorch puts it (the type's
 * `torch`); then the parts become methods. Pictures are [N, C, H, W] there and [N, H, W, C] here,
 * so flattening and its inverse permute. Read next: npz.c. */
#include "train/export.h"

#include "nn/module.h"
#include "tensor/json.h"
#include "train/uses.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

typedef struct writer {
    tri_text      layers, methods; /* of __init__; of parts */
    tri_text      code;            /* of the method being written */
    tr_named_list weights;
} writer;

/* "encoder.0" as an attribute: "encoder_0". */
static const char *attribute(const tr_module *m)
{
    char *name = tr_scope_alloc(strlen(m->path) + 1);
    for (size_t i = 0; name != NULL && m->path[i] != '\0'; i++)
        name[i] = isalnum((unsigned char)m->path[i]) ? m->path[i] : '_';
    return name != NULL ? name : ""; /* out of memory: recorded, and nothing will be written */
}

static tr_status fail_layer(const tr_module *m, const char *what)
{
    return tr_fail(TR_ERR_VALUE, "export: layer %s (%s) cannot be written for torch: %s", m->path,
                   m->type->name, what);
}

/* --- Activations -------------------------------------------------------------------------- */

static const char *const functions[][2] = {
    { "relu", "F.relu(x)" },         { "sigmoid", "torch.sigmoid(x)" },
    { "tanh", "torch.tanh(x)" },     { "leaky_relu", "F.leaky_relu(x)" },
    { "elu", "F.elu(x)" },           { "selu", "F.selu(x)" },
    { "gelu", "F.gelu(x)" },         { "silu", "F.silu(x)" },
    { "softplus", "F.softplus(x)" }, { "mish", "F.mish(x)" },
};

static void add_activation(writer *w, const tr_module *m, const char *name)
{
    if (strcmp(name, "identity") == 0) return;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++)
        if (strcmp(functions[i][0], name) == 0) {
            tri_text_add(&w->code, "        x = %s\n", functions[i][1]);
            return;
        }
    fail_layer(m, name);
}

/* --- Layers ------------------------------------------------------------------------------- */

static void add_weights(writer *w, const tr_module *m, tr_shape order)
{
    const char *name = attribute(m);
    for (int64_t i = 0; i < m->parameters.count && name != NULL; i++) {
        const tr_named *p = &m->parameters.items[i];
        char            key[256];
        snprintf(key, sizeof key, "%s.%s", name, p->name);
        tr_tensor *value = i == 0 ? tr_permute(p->tensor, order) : p->tensor;
        value = value != NULL ? (tr_tensor *)(uintptr_t)tri_contiguous(value) : NULL;
        tr_named_push(&w->weights, key, value);
    }
}

/* A layer tied to another one gets a copy of its weight: there the other way round it needs none of
 * the transposing. */
static void add_tied_weights(writer *w, const tr_module *m, const tr_module *owner)
{
    char key[256];
    snprintf(key, sizeof key, "%s.weight", attribute(m));
    tr_named_push(&w->weights, key, owner->parameters.items[0].tensor);
    snprintf(key, sizeof key, "%s.bias", attribute(m));
    tr_named_push(&w->weights, key, m->parameters.items[0].tensor);
}

static void add_linear(writer *w, const tr_module *m)
{
    char settings[96] = "", act[32] = "identity";
    m->type->describe(m, settings, sizeof settings); /* "784 -> 32, relu" */
    const char      *comma = strchr(settings, ',');
    const tr_module *owner = tri_tied_to(m);
    const tr_tensor *weight = (owner != NULL ? owner : m)->parameters.items[0].tensor;
    const int        in = owner != NULL ? 1 : 0; /* the axis of the inputs */
    if (comma != NULL) sscanf(comma, ", %31[a-z_]", act);
    tri_text_add(&w->layers, "        self.%s = nn.Linear(%lld, %lld, bias=%s)\n", attribute(m),
                 (long long)tr_dim(weight, in), (long long)tr_dim(weight, 1 - in),
                 owner != NULL || m->parameters.count > 1 ? "True" : "False");
    tri_text_add(&w->code, "        x = self.%s(x)\n", attribute(m));
    if (owner != NULL)
        add_tied_weights(w, m, owner);
    else
        add_weights(w, m, TR_AXES(1, 0));
    add_activation(w, m, act);
}

/* Cells before and after the image along an axis, as the options say. */
static void padding(const tr_conv_options *o, int axis, int64_t size, int64_t out, int64_t kernel,
                    int64_t pad[2])
{
    const int64_t stride = o->stride[axis] > 0 ? o->stride[axis] : 1;
    const int64_t all = (out - 1) * stride + kernel - size;
    pad[0] = o->pad[axis][0];
    pad[1] = o->pad[axis][1];
    if (o->padding != TR_PAD_SAME) return;
    pad[0] = all > 0 ? all / 2 : 0;
    pad[1] = all > 0 ? all - pad[0] : 0;
}

static void add_transposed(writer *w, const tr_module *m, const tr_conv_options *o, int64_t kernel)
{
    const int64_t s = o->stride[0] > 0 ? o->stride[0] : 1;
    int64_t       pad[2][2];
    for (int k = 0; k < 2; k++) /* the roles of image and result are exchanged */
        padding(o, k, m->out_shape.dim[k + 1], m->in_shape.dim[k + 1], kernel, pad[k]);
    const tr_tensor *weight = m->parameters.items[0].tensor;
    const int64_t    more = m->out_shape.dim[1] + pad[0][0] - (m->in_shape.dim[1] - 1) * s - kernel;
    tri_text_add(&w->layers,
                 "        self.%s = nn.ConvTranspose2d(%lld, %lld, %lld, stride=%lld, "
                 "output_padding=%lld, bias=%s)\n",
                 attribute(m), (long long)tr_dim(weight, 3), (long long)tr_dim(weight, 2),
                 (long long)kernel, (long long)s, (long long)(more > 0 ? more : 0),
                 m->parameters.count > 1 ? "True" : "False");
    tri_text_add(&w->code, "        x = self.%s(x)[:, :, %lld:%lld, %lld:%lld]\n", attribute(m),
                 (long long)pad[0][0], (long long)(pad[0][0] + m->out_shape.dim[1]),
                 (long long)pad[1][0], (long long)(pad[1][0] + m->out_shape.dim[2]));
}

/* A convolution of the picture enlarged by `factor`, whose results have the size of `out`. */
static void add_plain(writer *w, const tr_module *m, const tr_conv_options *o, int64_t kernel,
                      int64_t factor, const tr_shape *out)
{
    const tr_tensor *weight = m->parameters.items[0].tensor;
    int64_t          pad[2][2];
    for (int k = 0; k < 2; k++)
        padding(o, k, factor * m->in_shape.dim[k + 1], out->dim[k + 1], kernel, pad[k]);
    tri_text_add(&w->layers,
                 "        self.%s = nn.Conv2d(%lld, %lld, %lld, stride=%lld, bias=%s)\n",
                 attribute(m), (long long)tr_dim(weight, 2), (long long)tr_dim(weight, 3),
                 (long long)kernel, (long long)(o->stride[0] > 0 ? o->stride[0] : 1),
                 m->parameters.count > 1 ? "True" : "False");
    if (factor > 1)
        tri_text_add(&w->code, "        x = F.interpolate(x, scale_factor=%lld)\n",
                     (long long)factor);
    tri_text_add(&w->code, "        x = self.%s(F.pad(x, (%lld, %lld, %lld, %lld)))\n",
                 attribute(m), (long long)pad[1][0], (long long)pad[1][1], (long long)pad[0][0],
                 (long long)pad[0][1]);
}

static void add_convolution(writer *w, const tr_module *m, const tr_conv_options *o)
{
    const int64_t kernel = tr_dim(m->parameters.items[0].tensor, 0);
    if (o->groups > 1 || o->dilation[0] > 1 || o->dilation[1] > 1) {
        fail_layer(m, "it has groups or dilation");
        return;
    }
    if (strcmp(m->type->name, "conv2d_transpose") == 0) {
        add_transposed(w, m, o, kernel);
    } else if (strcmp(m->type->name, "upsample_conv2d") == 0) {
        add_plain(w, m, o, kernel, m->out_shape.dim[1] / m->in_shape.dim[1], &m->out_shape);
    } else if (strcmp(m->type->name, "conv2d_pool") == 0) {
        add_plain(w, m, o, kernel, 1, &m->in_shape);
        tri_text_add(&w->code, "        x = F.max_pool2d(x, %lld)\n",
                     (long long)tri_convolution_window(m));
    } else {
        add_plain(w, m, o, kernel, 1, &m->out_shape);
    }
    add_weights(w, m, TR_AXES(3, 2, 0, 1));
    add_activation(w, m, tr_activation_name(o->act));
}

static void add_to_rows(writer *w)
{
    tri_text_add(&w->code, "        x = x.permute(0, 2, 3, 1).flatten(1)\n");
}

static void add_to_pictures(writer *w, const tr_shape *to, int first)
{
    tri_text_add(&w->code, "        x = x.reshape(-1, %lld, %lld, %lld).permute(0, 3, 1, 2)\n",
                 (long long)to->dim[first], (long long)to->dim[first + 1],
                 (long long)to->dim[first + 2]);
}

static void add_leaf(writer *w, const tr_module *m)
{
    const tr_conv_options *o = tri_convolution_options(m);
    const char            *kind = m->type->name;
    char                   settings[96] = "";
    if (m->type->describe != NULL) m->type->describe(m, settings, sizeof settings);
    if (o != NULL)
        add_convolution(w, m, o);
    else if (strcmp(kind, "linear") == 0)
        add_linear(w, m);
    else if (strcmp(kind, "activation") == 0)
        add_activation(w, m, settings);
    else if (strcmp(kind, "max_pool2d") == 0 || strcmp(kind, "avg_pool2d") == 0)
        tri_text_add(&w->code, "        x = F.%s(x, %d)\n", kind, atoi(settings));
    else if (strcmp(kind, "upsample") == 0)
        tri_text_add(&w->code, "        x = F.interpolate(x, scale_factor=%d)\n", atoi(settings));
    else if (strcmp(kind, "flatten") == 0)
        add_to_rows(w);
    else if (strcmp(kind, "reshape") == 0 && m->out_shape.rank == 4)
        add_to_pictures(w, &m->out_shape, 1);
    else if (strcmp(kind, "dropout") != 0) /* which does nothing in evaluation */
        fail_layer(m, "there is no rule for its kind");
}

/* The leaves of a part, in the order in which a sequence applies them. */
static void add_part(writer *w, tr_module *part)
{
    for (tr_module *m = part; m != NULL; m = tri_module_next(part, m))
        if (m->first_child == NULL && m->out_shape.rank > 0 && !tri_failed()) add_leaf(w, m);
}

/* --- The model as layers in turn ------------------------------------------------------------ */

static tr_module *find_part(const tr_model *model, const char *name)
{
    for (tr_module *m = model->net->first_child; m != NULL; m = m->next)
        if (strcmp(m->name, name) == 0) return m;
    return NULL;
}

static bool near(tr_tensor *a, tr_tensor *b)
{
    if (a == NULL || b == NULL || tr_numel(a) != tr_numel(b)) return false;
    a = tr_flatten(a, 0);
    b = tr_flatten(b, 0);
    return tr_item(tr_amax(tr_abs(tr_sub(a, b)), TR_ALL_AXES, false)) < 1e-5;
}

/* What makes pixels of the decoder's result: an expression in x; NULL where none of these is it. */
static const char *find_output(tr_tensor *raw, tr_tensor *pixels)
{
    if (near(raw, pixels)) return "x";
    if (near(tr_sigmoid(raw), pixels)) return "torch.sigmoid(x)";
    if (near(tr_clamp(raw, 0, 1), pixels)) return "x.clamp(0, 1)";
    if (near(tr_clamp(tr_tanh(raw), 0, 1), pixels)) return "torch.tanh(x).clamp(0, 1)";
    return NULL;
}

static void fail_model(const tr_model *model)
{
    tr_fail(TR_ERR_VALUE,
            "export: %s with these settings does more than its layers in turn, which cannot be "
            "written for torch; --to npz writes its weights",
            model->type->name);
}

static bool begins_with_linear(tr_module *part)
{
    while (part->first_child != NULL) part = part->first_child;
    return strcmp(part->type->name, "linear") == 0;
}

/* Runs the parts in turn, which also fills in the shapes of each layer. */
static const char *try_parts(tr_model *model, tr_module *const parts[3], bool rows)
{
    tr_rng         rng = tr_rng_seed(1);
    const int64_t *size = model->input.dim;
    tr_tensor     *x = tr_uniform(TR_F32, TR_SHAPE(2, size[0], size[1], size[2]), &rng);
    tr_tensor     *z = tr_model_encode(model, x), *pixels = tr_model_decode(model, z);
    tr_tensor     *own = tr_forward(parts[0], rows ? tr_flatten(x, 1) : x);
    if (parts[1] != NULL) own = tr_forward(parts[1], own);
    if (!near(own, z)) return NULL;
    tr_tensor *raw = tr_forward(parts[2], z);
    return raw != NULL ? find_output(raw, pixels) : NULL;
}

/* --- Files -------------------------------------------------------------------------------- */

static const char head[] =
    "import json\n"
    "import struct\n"
    "\n"
    "import torch\n"
    "import torch.nn.functional as F\n"
    "from torch import nn\n"
    "\n"
    "\n"
    "def load_weights(path):\n"
    "    \"\"\"The tensors of a safetensors file that holds 32-bit floats.\"\"\"\n"
    "    with open(path, 'rb') as file:\n"
    "        header = json.loads(file.read(struct.unpack('<Q', file.read(8))[0]))\n"
    "        data = bytearray(file.read())\n"
    "    header.pop('__metadata__', None)\n"
    "    weights = {}\n"
    "    for name, entry in header.items():\n"
    "        begin, end = entry['data_offsets']\n"
    "        flat = torch.frombuffer(data[begin:end], dtype=torch.float32)\n"
    "        weights[name] = flat.reshape(entry['shape']).clone()\n"
    "    return weights\n"
    "\n"
    "\n"
    "class Model(nn.Module):\n";

static tr_status write_files(const writer *w, const tr_model *model, const tri_text *encode,
                             const tri_text *decode, const char *path)
{
    tri_writer  file;
    const char *slash = strrchr(path, '/'), *name = slash != NULL ? slash + 1 : path;
    char       *full = tr_scope_alloc(strlen(path) + 16);
    if (full == NULL || tri_failed()) return tr_status_get();
    sprintf(full, "%s.safetensors", path);
    if (tr_save_safetensors(full, &w->weights, NULL) != TR_OK) return tr_status_get();
    sprintf(full, "%s.py", path);
    if (tri_writer_open(&file, full) != TR_OK) return tr_status_get();
    tri_writer_printf(
        &file,
        "\"\"\"The trained model %s: pictures are [N, %lld, %lld, %lld] in [0, 1].\n\n"
        "    from %s import Model, load_weights\n"
        "    model = Model()\n"
        "    model.load_state_dict(load_weights('%s.safetensors'))\n"
        "\"\"\"\n%s",
        model->type->name, (long long)model->input.dim[2], (long long)model->input.dim[0],
        (long long)model->input.dim[1], name, name, head);
    tri_writer_printf(&file, "    def __init__(self):\n        super().__init__()\n%s\n%s",
                      w->layers.bytes, w->methods.count > 0 ? w->methods.bytes : "");
    tri_writer_printf(&file, "    def encode(self, x):\n%s        return x\n\n", encode->bytes);
    tri_writer_printf(&file, "    def decode(self, x):\n%s        return x\n\n", decode->bytes);
    tri_writer_printf(&file,
                      "    def forward(self, x):\n        return self.decode(self.encode(x))\n");
    return tri_writer_close(&file);
}

static void export_layers(tr_model *model, const char *path)
{
    tr_module  *parts[3] = { find_part(model, "encoder"), find_part(model, "mean"),
                             find_part(model, "decoder") };
    const bool  rows = parts[0] != NULL && begins_with_linear(parts[0]);
    const char *output =
        parts[0] != NULL && parts[2] != NULL ? try_parts(model, parts, rows) : NULL;
    if (output == NULL) {
        if (tr_status_get() == TR_ERR_SHAPE) tr_error_clear(); /* the parts do not fit each other */
        fail_model(model);
        return;
    }
    writer w = { 0 };
    if (rows) add_to_rows(&w);
    add_part(&w, parts[0]);
    if (parts[1] != NULL) add_part(&w, parts[1]);
    const tri_text encode = w.code;
    w.code = (tri_text){ 0 };
    add_part(&w, parts[2]);
    if (parts[2]->out_shape.rank == 2) add_to_pictures(&w, &model->input, 0);
    tri_text_add(&w.code, "        x = %s\n", output);
    if (!tri_failed()) write_files(&w, model, &encode, &w.code, path);
}

/* --- The model in its own words ------------------------------------------------------------- */

/* A part of several layers becomes a method; one of a single layer is that layer. */
static void add_method(writer *w, tr_module *part)
{
    w->code = (tri_text){ 0 };
    add_part(w, part);
    if (part->first_child == NULL || tri_failed()) return;
    tri_text_add(&w->methods, "    def %s(self, x):\n", attribute(part));
    tri_text_add(&w->methods, "%s        return x\n\n", w->code.bytes);
}

/* What belongs to the model itself, in no layer. */
static void add_buffers(writer *w, const tr_module *net)
{
    for (int64_t i = 0; i < net->buffers.count && !tri_failed(); i++) {
        const tr_named *b = &net->buffers.items[i];
        tri_text_add(&w->layers, "        self.register_buffer('%s', torch.zeros(", b->name);
        for (int k = 0; k < b->tensor->rank; k++)
            tri_text_add(&w->layers, "%s%lld", k > 0 ? ", " : "", (long long)tr_dim(b->tensor, k));
        tri_text_add(&w->layers, "))\n");
        tr_named_push(&w->weights, b->name, b->tensor);
    }
}

static void export_words(tr_model *model, const char *path)
{
    const int64_t *size = model->input.dim;
    const char    *encode_words = model->type->torch(model, false);
    const char    *decode_words = model->type->torch(model, true);
    writer         w = { 0 };
    if (encode_words == NULL || decode_words == NULL) {
        fail_model(model);
        return;
    }
    tr_tensor *x = tr_zeros(TR_F32, TR_SHAPE(1, size[0], size[1], size[2]));
    if (tr_model_reconstruct(model, x) == NULL) return; /* which fills in the layers' shapes */
    for (tr_module *part = model->net->first_child; part != NULL; part = part->next)
        add_method(&w, part);
    add_buffers(&w, model->net);
    w.code = (tri_text){ 0 };
    add_to_rows(&w);
    tri_text_add(&w.code, "%s", encode_words);
    const tri_text encode = w.code;
    w.code = (tri_text){ 0 };
    tri_text_add(&w.code, "%s", decode_words);
    add_to_pictures(&w, &model->input, 0);
    if (!tri_failed()) write_files(&w, model, &encode, &w.code, path);
}

tr_status tr_export_torch(tr_model *model, const char *path)
{
    if (!tri_given(model, "export_torch: the model") || !tri_given(path, "export_torch: the path"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    const bool recording = tr_set_recording(false), training = model->net->training;
    tr_scope  *scope = tr_scope_push();
    tr_module_set_training(model->net, false);
    if (model->type->torch != NULL)
        export_words(model, path);
    else
        export_layers(model, path);
    tr_module_set_training(model->net, training);
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tr_status_get();
}

tr_status tr_export_npz(tr_model *model, const char *path)
{
    if (!tri_given(model, "export_npz: the model") || !tri_given(path, "export_npz: the path"))
        return tr_status_get();
    if (tri_failed()) return tr_status_get();
    tr_scope           *scope = tr_scope_push();
    const tr_named_list state = tr_module_state(model->net);
    if (!tri_failed()) tri_save_npz(path, &state);
    tr_scope_pop(scope);
    return tr_status_get();
}
