/* compress.c: what a code costs in bits, when its numbers are rounded to steps and an ideal coder
 * that knows how often each step occurs writes them. Read next: cli/compress.c. */
#include "train/run.h"



#include <math.h>
#include <stdlib.h>

static int rising(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Entropy in bits of the values' frequencies; sorts them. */
static double entropy(int64_t *values, int64_t count)
{
    double sum = 0;
    qsort(values, (size_t)count, sizeof *values, rising);
    for (int64_t i = 0; i < count;) {
        int64_t j = i;
        while (j < count && values[j] == values[i]) j++;
        const double share = (double)(j - i) / (double)count;
        sum -= share * log2(share);
        i = j;
    }
    return sum;
}

tr_tensor *tr_quantise(tr_tensor *codes, const double *step, double *bits)
{
    if (!tri_given(step, "quantise: the list of steps") ||
        !tri_given(bits, "quantise: the place for the bits") || !tri_check_codes(codes, "quantise"))
        return NULL;
    *bits = 0;
    if (tri_failed()) return NULL;
    const int64_t    n = tr_dim(codes, 0), d = tr_dim(codes, 1);
    tr_tensor       *rounded = tr_empty(TR_F32, TR_SHAPE(n, d));
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *rows = tri_contiguous(codes);
    int64_t         *index = tr_scope_alloc((uint64_t)(n + 1) * sizeof *index);
    for (int64_t j = 0; j < d && !tri_failed(); j++) {
        for (int64_t i = 0; i < n; i++) {
            const double z = (double)((const float *)rows->data)[i * d + j];
            const double places = step[j] > 0 ? fmin(1e15, fmax(-1e15, rint(z / step[j]))) : 0;
            index[i] = (int64_t)places;
            ((float *)rounded->data)[i * d + j] = (float)(step[j] > 0 ? places * step[j] : z);
        }
        *bits += entropy(index, n);
    }
    tr_scope_pop(scope);
    return tri_failed() ? NULL : rounded;
}
