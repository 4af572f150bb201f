/* window.h: the arithmetic of windows that slide over pictures, shared by convolution.c, pooling.c
 * and resizing.c. Not installed.
 *
 * Along one axis of `length` cells, with pad[0] empty cells before and pad[1] after, a window of
 * `size` cells that lie `dilation` apart starts at -pad[0], -pad[0] + stride, ...; each of the two
 * axes has numbers of its own. Options use 0 for "the default"; the functions below turn them into
 * numbers that are safe to multiply. */
#ifndef TENREC_WINDOW_H
#define TENREC_WINDOW_H

#include "autograd/tape.h"

/* The positions of the window; 0 where not even one fits. With ceil, the last window may reach past
 * the padding, as long as it starts before it (PyTorch's rule). */
int64_t tri_window_count(int64_t length, int64_t size, int64_t stride, const int64_t pad[2],
                         int64_t dilation, bool ceil);

/* Padding that gives ceil(length / stride) positions; an odd cell goes after (Keras's 'same'). */
void tri_same_padding(int64_t length, int64_t size, int64_t stride, int64_t dilation,
                      int64_t pad[2]);

/* False and an error of operation `op` where value is not in least .. 2^31 - 1. */
bool tri_check_extent(const char *op, const char *what, int64_t value, int64_t least);

/* Puts 1 for 0 in stride and dilation and checks all numbers; `same` padding takes no numbers. */
bool tri_window_options(const char *op, int64_t stride[2], const int64_t pad[2][2],
                        int64_t dilation[2], tr_padding padding);

/* What x, w and bias of a convolution without groups must fulfil; false and an error where they do not. */
bool tri_check_plain_conv(const tr_call *c);

/* The adjoint of tr_upsample_nearest, g [N, f H, f W, C] -> [N, height, width, C]: an operation. */
tr_tensor *tri_upsample_adjoint(tr_tensor *g, int64_t height, int64_t width);

#endif
