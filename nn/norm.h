/* norm.h: normalisation and dropout as functions; nn.h has them as layers. Included by nn.h.
 *
 * Channels are the last axis, x [N, ..., C]. `scale` and `shift` may be NULL: 1 and 0. `epsilon` is
 * added to the variance under the root, 1e-5 as a rule. */
#ifndef TENREC_NORM_H
#define TENREC_NORM_H

#include "autograd/autograd.h"

#ifdef __cplusplus
extern "C" {
#endif

/* (x - mean) / sqrt(var + epsilon) scale + shift over the last axis of each row; with a scale of
 * k axes over the last k. Ba, Kiros & Hinton 2016. */
TR_API tr_tensor *tr_layer_norm(tr_tensor *x, tr_tensor *scale, tr_tensor *shift, double epsilon);
/* x / sqrt(mean(x^2) + epsilon) scale over the last axis. Zhang & Sennrich 2019. */
TR_API tr_tensor *tr_rms_norm(tr_tensor *x, tr_tensor *scale, double epsilon);
/* Over all positions and the channels of one group, for each image; `groups` divides C; scale,
 * shift [C]. Wu & He 2018. */
TR_API tr_tensor *tr_group_norm(tr_tensor *x, int64_t groups, tr_tensor *scale, tr_tensor *shift,
                                double epsilon);
/* Over all positions, for each image and channel. Ulyanov et al. 2016. */
TR_API tr_tensor *tr_instance_norm(tr_tensor *x, tr_tensor *scale, tr_tensor *shift,
                                   double epsilon);

/* What a batch norm learns, scale and shift, and what it remembers of the data; each [C]. */
typedef struct tr_batch_norm_state {
    tr_tensor *scale, *shift;
    tr_tensor *running_mean, *running_var; /* changed in place by training */
    double     momentum; /* weight of the newest batch in the running values, 0.1 as a rule */
    double     epsilon;
} tr_batch_norm_state;

/* Over all axes but the last. In training by the statistics of x (with more than one value per
 * channel), which also move the running ones: running += momentum (new - running), with the
 * unbiased variance. In evaluation by the running ones. Ioffe & Szegedy 2015. */
TR_API tr_tensor *tr_batch_norm(tr_tensor *x, const tr_batch_norm_state *state, bool training);

/* Each value becomes 0 with probability `rate` in [0, 1], the others are scaled by 1 / (1 -
 * rate): for training. Srivastava et al. 2014. */
TR_API tr_tensor *tr_dropout(tr_tensor *x, double rate, tr_rng *rng);
/* The same for whole channels of each image. */
TR_API tr_tensor *tr_channel_dropout(tr_tensor *x, double rate, tr_rng *rng);

#ifdef __cplusplus
}
#endif
#endif
