/* gradcheck.c: compares gradients with central differences.
 *
 * The function's values are projected on a random direction v, S1 = <f(x), v>, and dS1/dx is
 * compared with differences of S1. For order 2 these gradients are projected again, S2 = sum_i
 * <dS1/dx_i, u_i>, and S2 is differentiated by every x_i and by v: a rule that forgets to pass its
 * cotangent on as part of the graph shows there. Order 3 does the same to S2. Inputs are changed
 * in place, one element at a time, and get their old bits back.
 * Read next: example.c, which runs this over the examples of an operation. */
#include "autograd/tape.h"

#include <float.h>
#include <math.h>
#include <string.h>

enum { MAX_ORDER = 3, TABLE_ROWS = 10 };

typedef struct check {
    tr_function       function;
    void             *context;
    tr_tensor *const *inputs;
    int               input_count;
    int               count;      /* of variables, each once; the last is v */
    tr_tensor       **variables;
    int              *number;     /* of a variable among the inputs; v is input_count */
    tr_tensor       **directions[MAX_ORDER + 1]; /* from order 2 on: one per variable */
    double            step, tolerance;
} check;

typedef struct row {
    int     input;
    int64_t element;
    double  analytic, numeric, error;
} row;

/* --- Projections ------------------------------------------------------------------------------ */

static tr_tensor *dot(tr_tensor *a, tr_tensor *b)
{
    return tr_sum(tr_mul(a, b), TR_ALL_AXES, false);
}

/* S of the given order. Its own graph is kept where `record`; where it is not, the last derivative
 * takes the fast rules, so that the two kinds of rule are compared as well. */
static tr_tensor *projection(const check *k, int order, bool record)
{
    if (order == 1) {
        tr_tensor *y = k->function(k->context, k->inputs);
        return y != NULL ? dot(y, k->variables[k->count - 1]) : NULL;
    }
    tr_tensor  *s = projection(k, order - 1, true);
    tr_tensor **g = tr_scope_alloc((uint64_t)k->count * sizeof *g);
    if (s == NULL || g == NULL) return NULL;
    if (!s->requires_grad) return tr_scalar(TR_F64, 0);
    const tr_grad_options options = { .create_graph = record };
    if (tr_grad(&s, 1, k->variables, k->count, g, &options) != TR_OK) return NULL;
    tr_tensor *total = tr_scalar(TR_F64, 0);
    for (int i = 0; i < k->count; i++) total = tr_add(total, dot(g[i], k->directions[order][i]));
    return total;
}

static double value_of_projection(const check *k, int order)
{
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *s = projection(k, order, false);
    const double     value = s != NULL ? tr_item(s) : (double)NAN;
    tr_scope_pop(scope);
    return value;
}

/* --- Differences ------------------------------------------------------------------------------ */

static double *element(const tr_tensor *t, int64_t i)
{
    int64_t offset = 0;
    for (int axis = t->rank - 1; axis >= 0; axis--) {
        offset += i % t->shape[axis] * t->stride[axis];
        i /= t->shape[axis];
    }
    return (double *)t->data + offset;
}

static double largest_magnitude(const tr_tensor *t)
{
    double        largest = 0;
    const int64_t n = tr_numel(t);
    for (int64_t i = 0; i < n; i++) largest = fmax(largest, fabs(*element(t, i)));
    return largest;
}

/* dS/d(element i of t) by a central difference; *noise is its rounding error, roughly. */
static double difference(const check *k, int order, const tr_tensor *t, int64_t i, double step,
                         double *noise)
{
    double      *x = element(t, i);
    const double before = *x, above = before + step, below = before - step;
    *x = above;
    const double s_above = value_of_projection(k, order);
    *x = below;
    const double s_below = value_of_projection(k, order);
    *x = before;
    *noise = 64 * DBL_EPSILON * fmax(fabs(s_above), fabs(s_below)) / step;
    return (s_above - s_below) / (above - below);
}

/* Keeps the worst rows, the worst first. */
static void insert(row *rows, const row *r)
{
    int place = TABLE_ROWS;
    while (place > 0 && !(rows[place - 1].error >= r->error)) place--;
    if (place == TABLE_ROWS) return;
    memmove(rows + place + 1, rows + place, (size_t)(TABLE_ROWS - 1 - place) * sizeof *rows);
    rows[place] = *r;
}

/* Errors are relative to the element, but to no less than a hundredth of the largest one. What
 * looks wrong is forgiven the difference's own rounding error. */
static void compare_variable(const check *k, int order, int variable, const tr_tensor *gradient,
                             row *rows)
{
    const tr_tensor *t = k->variables[variable];
    const int64_t    n = tr_numel(t);
    const double     largest_input = largest_magnitude(t);
    const double     step = k->step * (largest_input > 0 ? largest_input : 1);
    double          *numeric = tri_scratch(2 * (uint64_t)n * sizeof *numeric);
    if (numeric == NULL) return;
    double *noise = numeric + n, largest = largest_magnitude(gradient);
    for (int64_t i = 0; i < n && !tri_failed(); i++) {
        numeric[i] = difference(k, order, t, i, step, &noise[i]);
        largest = fmax(largest, fabs(numeric[i]));
    }
    for (int64_t i = 0; i < n && !tri_failed(); i++) {
        const double analytic = *element(gradient, i);
        const double size = fmax(fmax(fabs(analytic), fabs(numeric[i])), 0.01 * largest);
        double       distance = fabs(analytic - numeric[i]);
        if (distance > k->tolerance * size) distance = fmax(distance - noise[i], 0);
        const row r = { .input = k->number[variable], .element = i, .analytic = analytic,
                        .numeric = numeric[i],
                        .error = isnan(analytic + numeric[i]) ? (double)INFINITY
                                 : distance > 0               ? distance / size
                                                              : 0 };
        insert(rows, &r);
    }
}

static void compare(const check *k, int order, row *rows)
{
    for (int i = 0; i < TABLE_ROWS; i++) rows[i] = (row){ .input = -1, .error = -1 };
    tr_scope   *scope = tr_scope_push();
    tr_tensor  *s = projection(k, order, true);
    tr_tensor **g = tr_scope_alloc((uint64_t)k->count * sizeof *g);
    if (s != NULL && g != NULL) {
        if (s->requires_grad)
            tr_grad(&s, 1, k->variables, k->count, g, NULL);
        else
            for (int i = 0; i < k->count; i++)
                g[i] = tr_zeros(TR_F64, tr_shape_of(k->variables[i]));
        const int compared = order == 1 ? k->count - 1 : k->count;
        for (int i = 0; i < compared && !tri_failed(); i++) {
            const tr_tensor *gradient = tri_contiguous(g[i]);
            if (gradient != NULL) compare_variable(k, order, i, gradient, rows);
        }
    }
    tr_scope_pop(scope);
}

/* --- Preparation ------------------------------------------------------------------------------ */

static bool check_variable(const tr_tensor *t, int number)
{
    char text[240];
    if (t->dtype != TR_F64) {
        tr_fail(TR_ERR_DTYPE, "gradcheck: input %d is %s; variables must be f64", number,
                tr_describe(t, text, sizeof text));
        return false;
    }
    for (int axis = 0; axis < t->rank && tr_numel(t) > 0; axis++)
        if (t->stride[axis] == 0 && t->shape[axis] > 1) {
            tr_fail(TR_ERR_VALUE, "gradcheck: input %d, %s, repeats one element; give a copy",
                    number, tr_describe(t, text, sizeof text));
            return false;
        }
    return true;
}

static bool collect_variables(check *k)
{
    k->variables = tr_scope_alloc((uint64_t)(k->input_count + 1) * sizeof *k->variables);
    k->number = tr_scope_alloc((uint64_t)(k->input_count + 1) * sizeof *k->number);
    if (k->variables == NULL || k->number == NULL) return false;
    for (int i = 0; i < k->input_count; i++) {
        tr_tensor *t = k->inputs[i];
        if (!tri_check_alive(t, "gradcheck")) return false;
        bool again = false; /* one tensor given twice is one variable */
        for (int j = 0; j < i; j++) again = again || k->inputs[j] == t;
        if (!t->requires_grad || again) continue;
        if (!check_variable(t, i)) return false;
        k->number[k->count] = i;
        k->variables[k->count++] = t;
    }
    return true;
}

/* The shape of the result, which is computed twice: a function that draws random numbers is
 * noticed. */
static bool result_shape(const check *k, tr_shape *shape)
{
    tr_scope        *scope = tr_scope_push();
    const tr_tensor *y = k->function(k->context, k->inputs);
    const tr_tensor *again = y != NULL ? k->function(k->context, k->inputs) : NULL;
    if (y != NULL && y->dtype != TR_F64) {
        char text[240];
        tr_fail(TR_ERR_DTYPE, "gradcheck: the function's result is %s; it must be f64",
                tr_describe(y, text, sizeof text));
    }
    y = y != NULL && !tri_failed() ? tri_contiguous(y) : NULL;
    again = again != NULL && y != NULL ? tri_contiguous(again) : NULL;
    if (y != NULL && again != NULL) {
        *shape = tr_shape_of(y);
        const size_t bytes = (size_t)tr_numel(y) * sizeof(double);
        if (!tr_same_shape(y, again) || (bytes > 0 && memcmp(y->data, again->data, bytes) != 0))
            tr_fail(TR_ERR_VALUE,
                    "gradcheck: the function gave two results for the same inputs; draw "
                    "random numbers outside it");
    }
    tr_scope_pop(scope);
    return y != NULL && !tri_failed();
}

static bool draw_directions(check *k, int order, uint64_t seed)
{
    tr_rng   rng = tr_rng_seed(seed);
    tr_shape shape;
    if (!result_shape(k, &shape)) return false;
    k->number[k->count] = k->input_count;
    k->variables[k->count] = tr_variable(tr_normal(TR_F64, shape, &rng));
    if (k->variables[k->count++] == NULL) return false;
    for (int level = 2; level <= order; level++) {
        k->directions[level] = tr_scope_alloc((uint64_t)k->count * sizeof(tr_tensor *));
        for (int i = 0; i < k->count && !tri_failed(); i++)
            k->directions[level][i] = tr_normal(TR_F64, tr_shape_of(k->variables[i]), &rng);
    }
    return !tri_failed();
}

/* --- Result ----------------------------------------------------------------------------------- */

static void print_table(const check *k, int order, const row *rows, FILE *stream)
{
    fprintf(stream, "gradient check of order %d, tolerance %g; the worst elements:\n", order,
            k->tolerance);
    fprintf(stream, "%10s %8s %24s %24s %10s\n", "input", "element", "analytic", "numeric",
            "error");
    for (int i = 0; i < TABLE_ROWS && rows[i].input >= 0; i++) {
        char name[24] = "cotangent";
        if (rows[i].input < k->input_count) snprintf(name, sizeof name, "%d", rows[i].input);
        fprintf(stream, "%10s %8lld %24.16g %24.16g %10.2e\n", name, (long long)rows[i].element,
                rows[i].analytic, rows[i].numeric, rows[i].error);
    }
}

static void take_worst(const row *worst, int order, double tolerance, tr_gradcheck_result *result)
{
    result->order = order;
    result->passed = worst->error <= tolerance;
    if (worst->input < 0 || worst->error < result->worst_error) return;
    result->worst_error = worst->error;
    result->input = worst->input;
    result->element = worst->element;
    result->analytic = worst->analytic;
    result->numeric = worst->numeric;
}

tr_status tr_gradcheck(tr_function function, void *context, tr_tensor *const *inputs,
                       int input_count, const tr_gradcheck_options *options,
                       tr_gradcheck_result *result)
{
    if ((function == NULL && !tri_given(NULL, "gradcheck: the function")) ||
        !tri_given(inputs, "gradcheck: the list of inputs") ||
        !tri_given(result, "gradcheck: the result"))
        return tr_status_get();
    static const tr_gradcheck_options defaults = { 0 };
    const tr_gradcheck_options       *o = options != NULL ? options : &defaults;
    *result = (tr_gradcheck_result){ 0 };
    if (tri_failed()) return tr_status_get();
    if (o->order < 0 || o->order > MAX_ORDER)
        return tr_fail(TR_ERR_VALUE, "gradcheck: order %d is not in 1 .. %d", o->order, MAX_ORDER);
    const int order = o->order > 0 ? o->order : 2;
    check     k = { .function = function, .context = context, .inputs = inputs,
                    .input_count = input_count, .step = o->step > 0 ? o->step : 1e-5,
                    .tolerance = o->tolerance > 0 ? o->tolerance : 1e-6 };
    const bool recording = tr_set_recording(true);
    tr_scope  *scope = tr_scope_push();
    if (collect_variables(&k) && draw_directions(&k, order, o->seed)) {
        result->passed = true;
        for (int level = 1; level <= order && result->passed; level++) {
            row rows[TABLE_ROWS];
            compare(&k, level, rows);
            if (tri_failed()) break;
            take_worst(&rows[0], level, k.tolerance, result);
            if (!result->passed && o->table != NULL) print_table(&k, level, rows, o->table);
        }
    }
    tr_scope_pop(scope);
    tr_set_recording(recording);
    if (tri_failed()) result->passed = false;
    return tr_status_get();
}
