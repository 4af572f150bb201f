/* registry.h: declares the descriptor of every operation in ops.def. Not installed. */
#ifndef TENREC_REGISTRY_H
#define TENREC_REGISTRY_H

#include "autograd/tape.h"

#define TR_OP(name) extern const tr_op tri_op_##name;
#include "autograd/ops.def"
#undef TR_OP

#endif
