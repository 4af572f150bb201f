/* ratings.c: how well a model predicts ratings that were held out, beside the means of items and of
 * users, and which items it would recommend. Read next: datasets/ratings.c. */
#include "train/uses.h"

#include "nn/nn.h"
#include "tensor/core.h"

#include <math.h>
#include <string.h>

static bool check(const tr_model *model, const tr_dataset *data)
{
    if (tri_failed() || model == NULL || data == NULL) return false;
    if (data->row_names != NULL) return true;
    tr_fail(TR_ERR_VALUE, "%s has no ratings; ratings:FILE has", data->spec);
    return false;
}

/* The mean of a user's values that are shown. */
static double shown_mean(const float *x, const float *known, int64_t items)
{
    double sum = 0, count = 0;
    for (int64_t i = 0; i < items; i++) {
        sum += known[i] > 0 ? (double)x[i] : 0;
        count += known[i] > 0;
    }
    return sum / count;
}

/* Adds the squared errors of a user's ratings that are held out. */
static void add_user(const float *wanted, const float *known, const float *given,
                     const float *item_mean, double user_mean, int64_t items, double sum[4])
{
    for (int64_t i = 0; i < items; i++) {
        if (!(known[i] > 0)) continue;
        sum[0] += pow((double)given[i] - (double)wanted[i], 2);
        sum[1] += pow((double)item_mean[i] - (double)wanted[i], 2);
        sum[2] += pow(user_mean - (double)wanted[i], 2);
        sum[3]++;
    }
}

tr_status tr_rate(tr_model *model, const tr_dataset *data, tr_rating_errors *errors)
{
    enum { BATCH = 200 };
    if (!tri_given(model, "rate: the model") || !tri_given(data, "rate: the dataset") ||
        !tri_given(errors, "rate: the result") || !check(model, data))
        return tr_status_get();
    const int64_t users = data->count[TR_TEST], items = data->width;
    const bool    recording = tr_set_recording(false);
    double        sum[4] = { 0, 0, 0, 0 };
    for (int64_t i = 0; i < users && !tri_failed(); i += BATCH) {
        const int64_t end = users - i < BATCH ? users : i + BATCH;
        tr_batch      shown, held;
        tr_scope     *scope = tr_scope_push();
        tr_dataset_read(data, TR_TRAIN, i, end, &shown);
        tr_dataset_read(data, TR_TEST, i, end, &held);
        tr_tensor       *y = tri_failed() ? NULL : tr_model_reconstruct(model, held.x);
        const tr_tensor *rows = y != NULL ? tri_contiguous(y) : NULL;
        for (int64_t k = 0; rows != NULL && k < (end - i) * items; k += items)
            add_user((const float *)held.target->data + k, (const float *)held.known->data + k,
                     (const float *)rows->data + k, data->blank->data,
                     shown_mean((const float *)shown.x->data + k,
                                (const float *)shown.known->data + k, items),
                     items, sum);
        tr_scope_pop(scope);
    }
    tr_set_recording(recording);
    const tr_column *scale = &data->table->column[0];
    const double     range = scale->high > scale->low ? scale->high - scale->low : 1;
    *errors = (tr_rating_errors){ .model = range * sqrt(sum[0] / sum[3]),
                                  .item_mean = range * sqrt(sum[1] / sum[3]),
                                  .user_mean = range * sqrt(sum[2] / sum[3]),
                                  .ratings = (int64_t)sum[3] };
    return tr_status_get();
}

int64_t tr_recommend(tr_model *model, const tr_dataset *data, int64_t user, int64_t count,
                     int64_t *item, double *rating)
{
    if (!tri_given(model, "recommend: the model") || !tri_given(data, "recommend: the dataset") ||
        !tri_given(item, "recommend: the place for items") ||
        !tri_given(rating, "recommend: the place for ratings") || !check(model, data))
        return 0;
    const bool recording = tr_set_recording(false);
    tr_scope  *scope = tr_scope_push();
    tr_batch   shown, held;
    int64_t    found = 0;
    tr_dataset_read(data, TR_TRAIN, user, user + 1, &shown);
    tr_dataset_read(data, TR_TEST, user, user + 1, &held);
    tr_tensor       *y = tri_failed() ? NULL : tr_model_reconstruct(model, shown.x);
    const tr_tensor *order = y != NULL ? tr_argsort(tr_flatten(y, 0), 0, true) : NULL;
    for (int64_t i = 0; order != NULL && i < data->width && found < count; i++) {
        const int64_t    at = ((const int64_t *)order->data)[i];
        const tr_column *c = &data->table->column[at];
        if (((float *)shown.known->data)[at] > 0 || ((float *)held.known->data)[at] > 0) continue;
        item[found] = at;
        rating[found++] = c->low + (c->high - c->low) * tr_at(tr_flatten(y, 0), TR_SHAPE(at));
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    return tri_failed() ? 0 : found;
}
