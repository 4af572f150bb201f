/* channels.h: the few loops over one pixel's channel vector that pooling and resizing are made of.
 * Not installed. They are short (a picture has 1 to a few hundred channels), so they are inlined
 * plain loops rather than entries of the kernel table. */
#ifndef TENREC_CHANNELS_H
#define TENREC_CHANNELS_H

#include "tensor/core.h"

/* y += scale x */
static inline void channels_add(tr_dtype dtype, int64_t n, void *y, double scale, const void *x)
{
    if (dtype == TR_F32) {
        float *to = y;
        const float *from = x, factor = (float)scale;
        for (int64_t c = 0; c < n; c++) to[c] += factor * from[c];
    } else {
        double *to = y;
        const double *from = x;
        for (int64_t c = 0; c < n; c++) to[c] += scale * from[c];
    }
}

/* y /= divisor */
static inline void channels_divide(tr_dtype dtype, int64_t n, void *y, double divisor)
{
    if (dtype == TR_F32) {
        float *to = y, by = (float)divisor;
        for (int64_t c = 0; c < n; c++) to[c] /= by;
    } else {
        double *to = y;
        for (int64_t c = 0; c < n; c++) to[c] /= divisor;
    }
}

#endif
