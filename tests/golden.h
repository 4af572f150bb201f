/* golden.h: replays golden data: results and gradients that PyTorch computed
 * (tests/golden/golden.py says how a line is written). Every case runs in f64, which must agree to
 * 1e-10 of what was summed, and in f32, whose elements may differ from f64's by no more than four
 * times what PyTorch's did, and a few roundings of the largest. */
#ifndef TENREC_TESTS_GOLDEN_H
#define TENREC_TESTS_GOLDEN_H

#include "autograd/example.h"
#include "tests/numeric.h"

#include <math.h>
#include <stdio.h>

enum { GOLDEN_INPUTS = 4, GOLDEN_NUMBERS = 16 };

typedef struct golden_case {
    char     name[64];
    char    *text; /* what follows ':' in the name, or NULL */
    int      inputs, numbers, results;
    tr_shape shape[GOLDEN_INPUTS];
    int64_t  number[GOLDEN_NUMBERS];
    double   value[1 + GOLDEN_INPUTS], error[1 + GOLDEN_INPUTS];
} golden_case;

typedef struct golden_op {
    const char *name;
    tr_tensor *(*run)(const golden_case *g, tr_tensor **in);
} golden_op;

/* A hash of the element's number, in [-1/2, 1/2); exact in f32 too where low bits are cut. */
static inline double golden_noise(int64_t element, uint32_t stream)
{
    uint32_t z = (uint32_t)element * 0x9E3779B1u + stream * 0x85EBCA77u + 0x165667B1u;
    z ^= z >> 15;
    z *= 0x2C1B3C6Du;
    z ^= z >> 12;
    return z / 4294967296.0 - 0.5;
}

static inline tr_tensor *golden_tensor(tr_dtype dtype, tr_shape shape, uint32_t stream)
{
    tr_tensor *t = tr_empty(dtype, shape);
    for (int64_t i = 0; i < tr_numel(t); i++) set(t, i, golden_noise(i, stream));
    return t;
}

static inline void golden_read(char *line, golden_case *g)
{
    int part = 0;
    memset(g, 0, sizeof *g);
    for (char *word = strtok(line, " \n"); word != NULL; word = strtok(NULL, " \n")) {
        if (g->name[0] == '\0') {
            snprintf(g->name, sizeof g->name, "%s", word);
            if ((g->text = strchr(g->name, ':')) != NULL) *g->text++ = '\0';
        } else if (word[0] == '|') {
            part++;
        } else if (part == 0) {
            tr_shape *shape = &g->shape[g->inputs++];
            for (char *s = word + 1; *s != ']' && *s != '\0'; s += *s == ',')
                shape->dim[shape->rank++] = strtoll(s, &s, 10);
        } else if (part == 1) {
            g->number[g->numbers++] = strtoll(word, NULL, 10);
        } else {
            g->value[g->results] = strtod(word, NULL);
            g->error[g->results++] = strtod(strtok(NULL, " \n"), NULL);
        }
    }
    ck_assert_int_eq(g->results, 1 + g->inputs);
}

/* The result and the gradients, contiguous; NULL for a gradient where there is no graph. */
static inline void golden_run(const golden_op *op, const golden_case *g, tr_dtype dtype, int line,
                              tr_tensor *t[1 + GOLDEN_INPUTS])
{
    tr_tensor *in[GOLDEN_INPUTS] = { 0 }, *gradients[GOLDEN_INPUTS] = { 0 };
    for (int i = 0; i < g->inputs; i++)
        in[i] = tr_variable(golden_tensor(dtype, g->shape[i], (uint32_t)i));
    tr_tensor *y = op->run(g, in);
    ck_assert_msg(y != NULL, "line %d: %s", line, tr_error());
    if (y->requires_grad) {
        tr_tensor            *cotangent = golden_tensor(dtype, tr_shape_of(y), 200);
        const tr_grad_options options = { .cotangents = &cotangent };
        ck_assert_msg(tr_grad(&y, 1, in, g->inputs, gradients, &options) == TR_OK, "line %d: %s",
                      line, tr_error());
    }
    t[0] = (tr_tensor *)(uintptr_t)tri_contiguous(y);
    for (int i = 0; i < g->inputs; i++)
        t[1 + i] =
            gradients[i] != NULL ? (tr_tensor *)(uintptr_t)tri_contiguous(gradients[i]) : NULL;
}

static inline void golden_compare(const golden_case *g, int line, int which, const tr_tensor *exact,
                                  const tr_tensor *rough)
{
    double sum = 0, size = 0, error = 0, largest = 0;
    for (int64_t i = 0; exact != NULL && i < tr_numel(exact); i++) {
        sum += get(exact, i) * golden_noise(i, 100);
        size += fabs(get(exact, i) * golden_noise(i, 100));
        error = fmax(error, fabs(get(exact, i) - get(rough, i)));
        largest = fmax(largest, fabs(get(exact, i)));
    }
    ck_assert_msg(fabs(sum - g->value[which]) <= 1e-10 * size + 1e-14,
                  "line %d, %s%s: %.13g, not %.13g of PyTorch", line, g->name,
                  which == 0 ? "" : ", gradient", sum, g->value[which]);
    const double allowed = 4 * g->error[which] + 4 * 0x1p-24 * largest;
    ck_assert_msg(error <= allowed, "line %d, %s%s: f32 is off by %g, PyTorch's by %g", line,
                  g->name, which == 0 ? "" : ", gradient", error, g->error[which]);
}

/* Replays all cases of a file of tests/golden; returns their number. */
static inline int golden_replay(const char *file, const golden_op *ops, size_t count)
{
    char  path[512], line[1024];
    int   cases = 0;
    FILE *stream;
    snprintf(path, sizeof path, "%s/tests/golden/%s", TENREC_SOURCE_DIR, file);
    stream = fopen(path, "r");
    ck_assert_msg(stream != NULL, "%s is missing", path);
    while (fgets(line, sizeof line, stream) != NULL) {
        tr_scope   *scope = tr_scope_push();
        golden_case g;
        tr_tensor  *exact[1 + GOLDEN_INPUTS], *rough[1 + GOLDEN_INPUTS];
        size_t      k = 0;
        golden_read(line, &g);
        cases++;
        while (k < count && strcmp(ops[k].name, g.name) != 0) k++;
        ck_assert_msg(k < count, "line %d: nothing replays %s", cases, g.name);
        golden_run(&ops[k], &g, TR_F64, cases, exact);
        golden_run(&ops[k], &g, TR_F32, cases, rough);
        for (int i = 0; i <= g.inputs; i++) golden_compare(&g, cases, i, exact[i], rough[i]);
        tr_scope_pop(scope);
    }
    fclose(stream);
    return cases;
}

/* An operation as a function of its example's inputs. */
typedef struct applied {
    const tr_op      *op;
    const tr_example *example;
    int               count;
} applied;

static inline tr_tensor *apply_example(void *context, tr_tensor *const *in)
{
    const applied *a = context;
    return tr_apply(a->op, in, a->count, a->example->attributes, a->example->attribute_bytes);
}

/* Checks the derivatives of order 1 to 3 of one example. */
static inline void expect_third_derivatives(const char *name, int example)
{
    tr_scope           *scope = tr_scope_push();
    tr_tensor          *in[TRI_MAX_EXAMPLE_INPUTS];
    tr_gradcheck_result result;
    applied             a = { .op = tr_op_find(name) };
    a.example = &a.op->examples[example];
    a.count = tri_example_inputs(a.example, TR_F64, TRI_CONTIGUOUS, 5, in);
    for (int i = 0; i < a.count; i++) tr_variable(in[i]);
    const tr_gradcheck_options options = { .order = 3, .table = stderr };
    ck_assert_msg(tr_gradcheck(apply_example, &a, in, a.count, &options, &result) == TR_OK,
                  "%s: %s", name, tr_error());
    ck_assert_msg(result.passed, "%s: order %d is off by %g", name, result.order,
                  result.worst_error);
    tr_scope_pop(scope);
}

#endif
