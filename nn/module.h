/* module.h: what the files of nn/ share. Not installed. */
#ifndef TENREC_MODULE_H
#define TENREC_MODULE_H

#include "nn/nn.h"
#include "tensor/core.h"

/* The module after m in a depth-first walk of root's tree; NULL at the end. */
tr_module *tri_module_next(const tr_module *root, tr_module *m);

/* False and an error naming `what` for a number that is no activation. */
bool tri_check_activation(tr_activation act, const char *what);

/* The options of a convolution, its transpose, or one with upsampling or pooling; NULL for others. */
const tr_conv_options *tri_convolution_options(const tr_module *m);
/* Of so many by so many results of a convolution the largest counts; 0 without pooling. */
int64_t tri_convolution_window(const tr_module *m);

/* The layer whose weight a linear layer uses, transposed; NULL for layers with a weight of their
 * own. */
const tr_module *tri_tied_to(const tr_module *m);

#endif
