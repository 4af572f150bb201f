/* registry.c: the list of built-in operations, made from ops.def, and example inputs that several
 * of them share. */
#include "autograd/registry.h"

#include <string.h>

static const tr_op *const built_in[] = {
#define TR_OP(name) &tri_op_##name,
#include "autograd/ops.def"
#undef TR_OP
};

const tr_op *const *tr_ops(int *count)
{
    if (count != NULL) *count = (int)(sizeof built_in / sizeof built_in[0]);
    return built_in;
}

const tr_op *tr_op_find(const char *name)
{
    int                 count;
    const tr_op *const *ops = tr_ops(&count);
    for (int i = 0; i < count && name != NULL; i++)
        if (strcmp(ops[i]->name, name) == 0) return ops[i];
    return NULL;
}

const tr_example tri_examples_any[] = {
    { .inputs = "x[2,3]" },  { .inputs = "x[]" },      { .inputs = "x[1]" },
    { .inputs = "x[0,3]" },  { .inputs = "x[5,1,2]" }, { .inputs = "x[37]" },
    { .inputs = "x[2,2,2,2]" }, { 0 },
};
const tr_example tri_examples_smooth[] = {
    { .inputs = "d[2,3]" },  { .inputs = "d[]" },      { .inputs = "d[1]" },
    { .inputs = "d[0,3]" },  { .inputs = "d[5,1,2]" }, { .inputs = "d[37]" },
    { .inputs = "d[2,2,2,2]" }, { 0 },
};
const tr_example tri_examples_positive[] = {
    { .inputs = "p[2,3]" },  { .inputs = "p[]" },      { .inputs = "p[1]" },
    { .inputs = "p[0,3]" },  { .inputs = "p[5,1,2]" }, { .inputs = "p[37]" },
    { .inputs = "p[2,2,2,2]" }, { 0 },
};
const tr_example tri_examples_unit[] = {
    { .inputs = "u[2,3]" },  { .inputs = "u[]" },      { .inputs = "u[1]" },
    { .inputs = "u[0,3]" },  { .inputs = "u[5,1,2]" }, { .inputs = "u[37]" },
    { .inputs = "u[2,2,2,2]" }, { 0 },
};
const tr_example tri_examples_pair[] = {
    { .inputs = "x[2,3] x[2,3]" },  { .inputs = "x[2,3] x[3]" },    { .inputs = "x[3] x[2,3]" },
    { .inputs = "x[2,1] x[1,3]" },  { .inputs = "x[] x[2,2]" },     { .inputs = "x[4] x[]" },
    { .inputs = "x[0,3] x[3]" },    { .inputs = "x[2,3,1] x[4]" },  { .inputs = "x[1] x[1]" },
    { .inputs = "x[2,1,3] x[2,1]" }, { 0 },
};
const tr_example tri_examples_pair_positive[] = {
    { .inputs = "p[2,3] p[2,3]" },  { .inputs = "p[2,3] p[3]" },    { .inputs = "p[3] p[2,3]" },
    { .inputs = "p[2,1] p[1,3]" },  { .inputs = "p[] p[2,2]" },     { .inputs = "p[4] p[]" },
    { .inputs = "p[0,3] p[3]" },    { .inputs = "p[2,3,1] p[4]" },  { .inputs = "p[1] p[1]" },
    { .inputs = "p[2,1,3] p[2,1]" }, { 0 },
};
const tr_example tri_examples_pair_distinct[] = {
    { .inputs = "d[2,3] d[2,3]" },  { .inputs = "d[2,3] d[3]" },    { .inputs = "d[3] d[2,3]" },
    { .inputs = "d[2,1] d[1,3]" },  { .inputs = "d[] d[2,2]" },     { .inputs = "d[4] d[]" },
    { .inputs = "d[0,3] d[3]" },    { .inputs = "d[2,3,1] d[4]" },  { .inputs = "d[1] d[1]" },
    { .inputs = "d[2,1,3] d[2,1]" }, { 0 },
};
