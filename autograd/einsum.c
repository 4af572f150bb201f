/* einsum.c: Einstein's notation for two operands. Every such sum is a stack of matrix products:
 * with the letters sorted into those of both operands and the result (stack), of one and the result
 * (rows, columns), of both but not the result (inner), and of one only (summed at once),
 *
 *     a [stack, rows, inner]  b [stack, inner, columns]  ->  [stack, rows, columns]
 *
 * and the result's axes are put in the order asked for. Gradients need no rule of their own: they
 * are those of permute, reshape, sum and matmul. */
#include "autograd/tape.h"

#include <string.h>

enum { OPERANDS = 2, RESULT = OPERANDS, TERMS = OPERANDS + 1, LETTERS = 128 };

typedef struct term {
    int  rank;
    char letter[TR_MAX_RANK];
} term;

typedef struct plan {
    const char *equation;
    term        of[TERMS];       /* a, b, result */
    int64_t     size[LETTERS];   /* of each letter; -1: unknown */
} plan;

static bool contains(const term *t, char letter)
{
    return t->rank > 0 && memchr(t->letter, letter, (size_t)t->rank) != NULL;
}

static bool bad_equation(const plan *p, const char *problem)
{
    tr_fail(TR_ERR_VALUE, "einsum: \"%s\": %s", p->equation, problem);
    return false;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One character of term k. */
static bool add_letter(plan *p, int k, char c)
{
    term *t = &p->of[k];
    if (!is_letter(c))
        return bad_equation(p, "axes are letters, operands are parted by ',', the result by '->'");
    if (t->rank == TR_MAX_RANK) return bad_equation(p, "more than 8 axes");
    if (contains(t, c))
        return bad_equation(p, "a letter occurs twice in one operand; take the diagonal first");
    t->letter[t->rank++] = c;
    return true;
}

/* Letters that occur once, in alphabetical order. */
static bool implied_result(plan *p)
{
    for (int c = 0; c < LETTERS; c++)
        if (contains(&p->of[0], (char)c) != contains(&p->of[1], (char)c) &&
            !add_letter(p, RESULT, (char)c))
            return false;
    return true;
}

static bool read_equation(plan *p, int operands)
{
    int  k = 0;
    bool arrow = false;
    for (const char *s = p->equation; *s != 0; s++) {
        if (*s == ' ') continue;
        if (*s == ',' && !arrow) {
            if (++k == operands) return bad_equation(p, "more operands than tensors");
        } else if (*s == '-' && s[1] == '>' && !arrow) {
            if (k + 1 != operands) return bad_equation(p, "fewer operands than tensors");
            arrow = true;
            k = RESULT;
            s++;
        } else if (!add_letter(p, k, *s)) {
            return false;
        }
    }
    if (!arrow && k + 1 != operands) return bad_equation(p, "fewer operands than tensors");
    if (!arrow) return implied_result(p);
    for (int i = 0; i < p->of[RESULT].rank; i++)
        if (!contains(&p->of[0], p->of[RESULT].letter[i]) &&
            !contains(&p->of[1], p->of[RESULT].letter[i]))
            return bad_equation(p, "a letter of the result is in no operand");
    return true;
}

static bool read_sizes(plan *p, int k, const tr_tensor *t)
{
    char text[240], problem[360];
    if (t->rank != p->of[k].rank) {
        snprintf(problem, sizeof problem, "operand %d has %d letters, its tensor is %s", k + 1,
                 p->of[k].rank, tr_describe(t, text, sizeof text));
        return bad_equation(p, problem);
    }
    for (int i = 0; i < t->rank; i++) {
        int64_t *size = &p->size[(int)p->of[k].letter[i]];
        if (*size >= 0 && *size != t->shape[i]) {
            snprintf(problem, sizeof problem, "'%c' is %lld in operand 1 and %lld in operand 2",
                     p->of[k].letter[i], (long long)*size, (long long)t->shape[i]);
            return bad_equation(p, problem);
        }
        *size = t->shape[i];
    }
    return true;
}

/* --- Computing -------------------------------------------------------------------------------- */

/* Appends to `to` the letters of operand k that are (not) in the other one and the result. */
static void pick(const plan *p, int k, bool in_other, bool in_result, term *to)
{
    const term *from = &p->of[k];
    for (int i = 0; i < from->rank; i++)
        if (contains(&p->of[1 - k], from->letter[i]) == in_other &&
            contains(&p->of[RESULT], from->letter[i]) == in_result)
            to->letter[to->rank++] = from->letter[i];
}

/* Position in `from` of each letter of `to`. */
static tr_shape order_of(const term *to, const term *from)
{
    tr_shape axes = { .rank = to->rank };
    for (int i = 0; i < to->rank; i++)
        axes.dim[i] =
            (const char *)memchr(from->letter, to->letter[i], (size_t)from->rank) - from->letter;
    return axes;
}

static int64_t size_of(const plan *p, const term *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++) n *= p->size[(int)t->letter[i]];
    return n;
}

static void append(term *to, const term *from)
{
    for (int i = 0; i < from->rank; i++) to->letter[to->rank++] = from->letter[i];
}

/* Operand k, summed over letters that only it has, as a stack of matrices: three groups of axes. */
static tr_tensor *as_matrices(const plan *p, int k, tr_tensor *t, const term *const groups[3])
{
    term     kept = { 0 }, alone = { 0 };
    tr_shape shape = { .rank = 3 };
    for (int i = 0; i < 3; i++) {
        append(&kept, groups[i]);
        shape.dim[i] = size_of(p, groups[i]);
    }
    pick(p, k, false, false, &alone);
    term order = kept;
    append(&order, &alone);
    t = tr_permute(t, order_of(&order, &p->of[k]));
    if (alone.rank > 0) {
        tr_shape axes = { .rank = alone.rank };
        for (int i = 0; i < alone.rank; i++) axes.dim[i] = kept.rank + i;
        t = tr_sum(t, axes, false);
    }
    return tr_reshape(t, shape);
}

tr_tensor *tr_einsum(const char *equation, tr_tensor *a, tr_tensor *b)
{
    plan p = { .equation = equation };
    term stack = { 0 }, rows = { 0 }, columns = { 0 }, inner = { 0 }, found = { 0 };
    if (tri_failed() || !tri_given(equation, "einsum: the equation") ||
        !tri_check_alive(a, "einsum") ||
        (b != NULL && !tri_check_alive(b, "einsum")))
        return NULL;
    memset(p.size, -1, sizeof p.size);
    if (!read_equation(&p, b != NULL ? 2 : 1) || !read_sizes(&p, 0, a)) return NULL;
    if (b != NULL && !read_sizes(&p, 1, b)) return NULL;
    pick(&p, 0, true, true, &stack);
    pick(&p, 0, false, true, &rows);
    pick(&p, 1, false, true, &columns);
    pick(&p, 0, true, false, &inner);

    tr_tensor *y = as_matrices(&p, 0, a, (const term *const[]){ &stack, &rows, &inner });
    if (b != NULL)
        y = tr_matmul(y, as_matrices(&p, 1, b, (const term *const[]){ &stack, &inner, &columns }));
    append(&found, &stack);
    append(&found, &rows);
    append(&found, &columns);
    tr_shape shape = { .rank = found.rank };
    for (int i = 0; i < found.rank; i++) shape.dim[i] = p.size[(int)found.letter[i]];
    return tr_permute(tr_reshape(y, shape), order_of(&p.of[RESULT], &found));
}
