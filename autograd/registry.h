/* registry.h: the descriptor of every operation in ops.def, and their documentation. Not
 * installed. */
#ifndef TENREC_REGISTRY_H
#define TENREC_REGISTRY_H

#include "autograd/tape.h"

#define TR_OP(name) extern const tr_op tri_op_##name;
#include "autograd/ops.def"
#undef TR_OP

/* Writes docs/ops.md: a table of the operations with formula, gradient and place of each. */
tr_status tri_write_ops_markdown(const char *path);

#endif
