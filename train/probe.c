/* probe.c: how much a representation tells about the classes: the accuracy of two plain classifiers
 * that see nothing else, softmax regression and nearest neighbours. Read next: cli/embed.c. */
#include "train/uses.h"

#include "nn/nn.h"
#include "optim/optim.h"
#include "tensor/core.h"

#include <math.h>

static bool check(const char *what, const tr_features *f)
{
    if (tri_failed()) return false;
    if (f->x == NULL || f->labels == NULL || f->x->rank != 2 || f->x->dtype != TR_F32 ||
        f->labels->dtype != TR_I64 || tr_dim(f->x, 0) != tr_numel(f->labels) ||
        tr_numel(f->x) == 0) {
        char x[240], labels[240];
        tr_fail(TR_ERR_SHAPE, "%s: x is %s, labels %s; expected f32 [N, D] and i64 [N]", what,
                f->x != NULL ? tr_describe(f->x, x, sizeof x) : "NULL",
                f->labels != NULL ? tr_describe(f->labels, labels, sizeof labels) : "NULL");
        return false;
    }
    return true;
}

/* --- Nearest neighbours ------------------------------------------------------------------- */

/* The class that most of the k neighbours, nearest first, have; of equals the one met first. */
static int64_t vote(const int64_t *neighbour, int64_t k, const int64_t *label)
{
    int64_t best = -1, most = 0;
    for (int64_t i = 0; i < k; i++) {
        int64_t votes = 0;
        for (int64_t j = 0; j < k; j++) votes += label[neighbour[j]] == label[neighbour[i]];
        if (votes > most) {
            most = votes;
            best = label[neighbour[i]];
        }
    }
    return best;
}

/* Places of the k rows of `all` nearest to each row of x: i64 [N, k], nearest first. */
static tr_tensor *nearest(tr_tensor *x, tr_tensor *all, int64_t k)
{
    tr_tensor *index, *squares = tr_sum(tr_square(all), TR_AXES(1), false); /* [M] */
    tr_tensor *far = tr_sub(squares, tr_scale(tr_matmul(x, tr_transpose(all, 0, 1)), 2));
    tr_topk(far, k, 1, false, &index); /* |x|^2 is the same for a row */
    return tri_failed() ? NULL : index;
}

double tr_knn_accuracy(const tr_features *train, const tr_features *test, int64_t k)
{
    if (!tri_given(train, "knn_accuracy: the train features") ||
        !tri_given(test, "knn_accuracy: the test features"))
        return (double)NAN;
    enum { BATCH = 256 };
    if (!check("knn", train) || !check("knn", test)) return (double)NAN;
    if (k < 1) {
        tr_fail(TR_ERR_VALUE, "knn: k is %lld, expected 1 or more", (long long)k);
        return (double)NAN;
    }
    const int64_t n = tr_dim(test->x, 0), m = tr_dim(train->x, 0);
    const bool    recording = tr_set_recording(false);
    int64_t       right = 0;
    if (k > m) k = m;
    for (int64_t i = 0; i < n && !tri_failed(); i += BATCH) {
        tr_scope        *scope = tr_scope_push();
        const int64_t    count = n - i < BATCH ? n - i : BATCH;
        const tr_tensor *index = nearest(tr_narrow(test->x, 0, i, count), train->x, k);
        if (index != NULL) index = tri_contiguous(index);
        for (int64_t r = 0; r < count && index != NULL; r++)
            right += vote((const int64_t *)index->data + r * k, k, train->labels->data) ==
                     ((const int64_t *)test->labels->data)[i + r];
        tr_scope_pop(scope);
    }
    tr_set_recording(recording);
    return tri_failed() ? (double)NAN : (double)right / (double)n;
}

/* --- Softmax regression ------------------------------------------------------------------- */

/* (x - mean) / deviation by the train rows; a feature that hardly varies is not blown up. */
static tr_tensor *normalised(tr_tensor *x, tr_tensor *by)
{
    tr_tensor *mean = tr_mean(by, TR_AXES(0), true);
    tr_tensor *deviation = tr_sqrt(tr_var(by, TR_AXES(0), 0, true));
    tr_tensor *typical = tr_add_scalar(tr_scale(tr_mean(deviation, TR_ALL_AXES, false), 0.1), 1e-6);
    return tr_div(tr_sub(x, mean), tr_maximum(deviation, typical));
}

/* Batches follow each other through the rows, around and around. */
static void train_softmax(tr_module *linear, tr_tensor *x, tr_tensor *labels)
{
    enum { BATCH = 256, STEPS = 1500 };
    const double  lr = 0.01;
    tr_optimizer *adam = tr_adam(tr_module_parameters(linear), &(tr_adam_options){ .lr = lr });
    const int64_t n = tr_dim(x, 0), batch = n < BATCH ? n : BATCH;

    for (int64_t step = 0; step < STEPS && !tri_failed(); step++) {
        tr_scope     *scope = tr_scope_push();
        const int64_t at = step * batch % (n - batch + 1);
        tr_tensor    *logits = tr_forward(linear, tr_narrow(x, 0, at, batch));
        tr_tensor *loss = tr_cross_entropy(logits, tr_narrow(labels, 0, at, batch), NULL, TR_MEAN);
        tr_tensor *weight = linear->parameters.items[0].tensor;
        loss = tr_add(loss, tr_scale(tr_sum(tr_square(weight), TR_ALL_AXES, false), 1e-4));
        tr_optimizer_set_lr(adam, lr * 0.5 * (1 + cos(acos(-1) * (double)step / STEPS)));
        tr_backward(loss);
        tr_optimizer_step(adam);
        tr_scope_pop(scope);
    }
}

double tr_linear_accuracy(const tr_features *train, const tr_features *test, int64_t classes,
                          uint64_t seed)
{
    if (!tri_given(train, "linear_accuracy: the train features") ||
        !tri_given(test, "linear_accuracy: the test features"))
        return (double)NAN;
    if (!check("linear_accuracy", train) || !check("linear_accuracy", test)) return (double)NAN;
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    tr_module *linear = tr_nn_linear(tr_dim(train->x, 1), classes, TR_IDENTITY);
    tr_module_init(linear, seed);
    tr_tensor *x = normalised(train->x, train->x);
    tr_set_recording(true);
    if (!tri_failed()) train_softmax(linear, x, train->labels);
    tr_set_recording(false);
    const tr_tensor *guess =
        tri_failed() ? NULL
                     : tr_argmax(tr_forward(linear, normalised(test->x, train->x)), 1, false);
    int64_t right = 0;
    for (int64_t i = 0; i < tr_numel(guess); i++)
        right += ((const int64_t *)guess->data)[i] == ((const int64_t *)test->labels->data)[i];
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tri_failed() ? (double)NAN : (double)right / (double)tr_dim(test->x, 0);
}
