/* Optimisers, schedules and clipping against PyTorch (golden/optim.h, written by golden/optim.py),
 * and what PyTorch cannot tell: errors, checkpoints, memory, shared gradients, averages. */
#include "autograd/autograd.h"
#include "optim/optim.h"
#include "tensor/core.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum rule { SGD, ADAM, ADAMW, RMSPROP };

typedef struct golden_case {
    enum rule rule;
    tr_sgd_options sgd;
    tr_adam_options adam;
    tr_rmsprop_options rmsprop;
    tr_group_options group; /* of the second parameter, where lr_factor is set */
    double clip_norm, clip_value;
    double w[4][5]; /* both parameters after 1, 2, 5 and 20 steps */
} golden_case;

#include "tests/golden/optim.h"
#include "tests/suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static tr_scope *scope;

static void setup(void)
{
    scope = tr_scope_push();
}

static void teardown(void)
{
    tr_scope_pop(scope);
    tr_error_clear();
}

static void ck_close(double value, double expected, double tolerance)
{
    ck_assert_msg(fabs(value - expected) <= tolerance * fmax(1e-3, fabs(expected)),
                  "%.17g, not %.17g", value, expected);
}

static tr_named_list one(const char *name, tr_tensor *t)
{
    tr_named_list list = { 0 };
    tr_named_push(&list, name, t);
    return list;
}

static tr_optimizer *make(const golden_case *c, tr_named_list p)
{
    switch (c->rule) {
    case SGD: return tr_sgd(p, &c->sgd);
    case ADAM: return tr_adam(p, &c->adam);
    case ADAMW: return tr_adamw(p, &c->adam);
    case RMSPROP: return tr_rmsprop(p, &c->rmsprop);
    }
    return NULL;
}

/* --- The run of golden/optim.py --------------------------------------------------------------- */

typedef struct run {
    tr_tensor *part[2];
    tr_named_list both;
    tr_optimizer *o;
    int t;
} run;

static tr_tensor *constant(tr_dtype dtype, const double *values, int64_t count)
{
    tr_tensor *t = tr_empty(dtype, TR_SHAPE(count));
    tr_assign(t, tr_from(TR_F64, TR_SHAPE(count), values));
    return t;
}

static run start_run(const golden_case *c, tr_dtype dtype)
{
    run r = {
        .part = {tr_variable(constant(dtype, start, 3)),
                 tr_variable(constant(dtype, start + 3, 2))}
    };
    tr_named_push(&r.both, "u", r.part[0]);
    tr_named_push(&r.both, "v", r.part[1]);
    if (c->group.lr_factor == 0) {
        r.o = make(c, r.both);
    } else {
        r.o = make(c, one("u", r.part[0]));
        tr_optimizer_add_group(r.o, one("v", r.part[1]), &c->group);
    }
    expect_ok();
    return r;
}

/* sum(a w^2 / 2 - b w) over both parts, or the first alone. */
static void backward(run *r, bool alone)
{
    tr_tensor *loss = NULL;
    for (int i = 0; i < (alone ? 1 : 2); i++) {
        const int64_t n = tr_numel(r->part[i]);
        tr_tensor *w = r->part[i], *a = constant(w->dtype, curvature + 3 * i, n),
                  *b = constant(w->dtype, targets[r->t] + 3 * i, n);
        tr_tensor *each = tr_sub(tr_scale(tr_mul(a, tr_square(w)), 0.5), tr_mul(b, w));
        tr_tensor *sum = tr_sum(each, TR_ALL_AXES, false);
        loss = loss == NULL ? sum : tr_add(loss, sum);
    }
    tr_backward(loss);
}

static void step_run(run *r, const golden_case *c)
{
    tr_scope *step = tr_scope_push();
    backward(r, r->t % 3 == 2);
    if (c->clip_norm > 0) tr_clip_grad_norm(r->both, c->clip_norm);
    if (c->clip_value > 0) tr_clip_grad_value(r->both, c->clip_value);
    ck_assert_int_eq(tr_optimizer_step(r->o), TR_OK);
    tr_scope_pop(step);
    r->t++;
    expect_ok();
}

static double value_of(const run *r, int i)
{
    return tr_at(r->part[i / 3], TR_SHAPE(i % 3));
}

static void compare_runs(tr_dtype dtype, double tolerance)
{
    static const int recorded[] = { 1, 2, 5, 20 };
    for (size_t k = 0; k < COUNT(golden_cases); k++) {
        const golden_case *c = &golden_cases[k];
        run r = start_run(c, dtype);
        for (int record = 0; record < 4; record++) {
            while (r.t < recorded[record]) step_run(&r, c);
            for (int i = 0; i < 5; i++) ck_close(value_of(&r, i), c->w[record][i], tolerance);
        }
        ck_assert_int_eq(tr_optimizer_steps(r.o), 20);
    }
}

START_TEST(trajectories_f64)
{
    compare_runs(TR_F64, 1e-12);
}
END_TEST

START_TEST(trajectories_f32)
{
    compare_runs(TR_F32, 3e-4);
}
END_TEST

/* Large enough for several pieces and for the fused kernel's vectors: against a plain loop. */
START_TEST(many_elements)
{
    enum { N = 50001 };
    tr_rng rng = tr_rng_seed(1);
    tr_tensor *w = tr_variable(tr_normal(TR_F64, TR_SHAPE(N), &rng));
    tr_tensor *b = tr_normal(TR_F64, TR_SHAPE(N), &rng);
    double *m = tr_scope_alloc(N * sizeof *m), *v = tr_scope_alloc(N * sizeof *v);
    double *x = tr_scope_alloc(N * sizeof *x);
    tr_optimizer *o = tr_adam(one("w", w), NULL);
    tr_copy_out(w, x);
    for (int t = 1; t <= 3; t++) {
        tr_backward(tr_sum(tr_mul(w, b), TR_ALL_AXES, false));
        tr_optimizer_step(o);
        for (int i = 0; i < N; i++) {
            const double g = ((const double *)b->data)[i];
            m[i] = 0.9 * m[i] + 0.1 * g;
            v[i] = 0.999 * v[i] + 0.001 * g * g;
            x[i] -= 1e-3 * (m[i] / (1 - pow(0.9, t))) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
        }
    }
    for (int i = 0; i < N; i++) ck_close(((const double *)w->data)[i], x[i], 1e-11);
    expect_ok();
}
END_TEST

START_TEST(same_bits_on_threads)
{
    enum { N = 40000 };
    const double scale[] = { 1, 3 };
    for (size_t k = 0; k < COUNT(golden_cases); k += 6) {
        const golden_case *c = &golden_cases[k];
        float *result[2];
        tr_scope *inner = tr_scope_push();
        for (int threads = 1; threads <= 2; threads++) {
            tr_set_threads(threads);
            tr_rng rng = tr_rng_seed(5);
            tr_tensor *w = tr_variable(tr_normal(TR_F32, TR_SHAPE(N), &rng));
            tr_named_list p = one("w", w);
            tr_optimizer *o = make(c, p);
            for (int t = 0; t < 2; t++) {
                tr_backward(tr_sum(tr_scale(tr_square(w), scale[t]), TR_ALL_AXES, false));
                tr_clip_grad_norm(p, 1);
                tr_optimizer_step(o);
            }
            result[threads - 1] = w->data;
        }
        expect_ok();
        ck_assert_int_eq(memcmp(result[0], result[1], N * sizeof(float)), 0);
        tr_scope_pop(inner);
    }
    tr_set_threads(2);
}
END_TEST

/* --- Steps ------------------------------------------------------------------------------------ */

START_TEST(step_clears_and_counts_changes)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_optimizer *o = tr_sgd(one("w", w), &(tr_sgd_options){ .lr = 0.5 });
    tr_backward(tr_sum(w, TR_ALL_AXES, false));
    const uint32_t before = w->storage->version;
    ck_assert_int_eq(tr_optimizer_step(o), TR_OK);
    ck_assert_ptr_null(w->grad);
    ck_assert_uint_gt(w->storage->version, before);
    ck_assert_double_eq(tr_at(w, TR_SHAPE(1)), 0.5);
    ck_assert_int_eq(tr_optimizer_step(o), TR_ERR_STATE); /* no gradient at all: a mistake */
    tr_error_clear();
    ck_assert_double_eq(tr_at(w, TR_SHAPE(1)), 0.5);
    ck_assert_int_eq(tr_optimizer_steps(o), 1);
    tr_backward(tr_sum(w, TR_ALL_AXES, false));
    tr_optimizer_clear(o);
    ck_assert_ptr_null(w->grad);
}
END_TEST

/* A loss recorded before the step must not be differentiated after it. */
START_TEST(stale_graph)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_optimizer *o = tr_sgd(one("w", w), NULL);
    tr_tensor *loss = tr_sum(tr_square(w), TR_ALL_AXES, false);
    tr_backward(tr_sum(w, TR_ALL_AXES, false));
    tr_optimizer_step(o);
    expect_ok();
    ck_assert_int_eq(tr_backward(loss), TR_ERR_STATE);
    tr_error_clear();
}
END_TEST

START_TEST(shared_tensor_moves_once)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_named_list p = one("encoder", w);
    tr_named_push(&p, "decoder", w);
    tr_optimizer *o = tr_sgd(p, &(tr_sgd_options){ .lr = 0.25 });
    tr_backward(tr_sum(w, TR_ALL_AXES, false));
    ck_close(tr_clip_grad_norm(p, 10), sqrt(2), 1e-15);
    tr_optimizer_step(o);
    ck_assert_double_eq(tr_at(w, TR_SHAPE(0)), 0.75);
}
END_TEST

START_TEST(learning_rate)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F64, TR_SHAPE(1)));
    tr_optimizer *o = tr_sgd(one("w", w), NULL);
    ck_assert_double_eq(tr_optimizer_lr(o), 0.01);
    tr_optimizer_set_lr(o, 0.125);
    tr_backward(tr_sum(w, TR_ALL_AXES, false));
    tr_optimizer_step(o);
    ck_assert_double_eq(tr_item(w), 0.875);
    ck_assert_int_eq(tr_optimizer_set_lr(o, 0), TR_OK);
    tr_optimizer_set_lr(o, -1);
    expect_error(TR_ERR_VALUE, "sgd: lr is -1; it must be a finite number, 0 or more");
    ck_assert_double_eq(tr_optimizer_lr(tr_adam(one("w", w), NULL)), 1e-3);
    ck_assert_double_eq(tr_optimizer_lr(tr_rmsprop(one("w", w), NULL)), 0.01);
    expect_ok();
}
END_TEST

/* A centred RMSprop whose variance is 0 but for rounding must not yield NaN. */
START_TEST(centered_constant_gradient)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F32, TR_SHAPE(4)));
    tr_optimizer *o = tr_rmsprop(
        one("w", w), &(tr_rmsprop_options){ .alpha = 0.5, .centered = true, .epsilon = 1 });
    for (int i = 0; i < 200; i++) {
        tr_scope *step = tr_scope_push();
        tr_backward(tr_sum(tr_scale(w, 1.1), TR_ALL_AXES, false));
        tr_optimizer_step(o);
        tr_scope_pop(step);
    }
    ck_assert(isfinite(tr_at(w, TR_SHAPE(0))));
}
END_TEST

START_TEST(steps_allocate_nothing)
{
    for (int rule = SGD; rule <= RMSPROP; rule++) {
        const golden_case c = { .rule = (enum rule)rule, .sgd.momentum = 0.9, .clip_norm = 1e-3 };
        run r = start_run(&c, TR_F32);
        step_run(&r, &c);
        step_run(&r, &c);
        const int64_t before = tr_memory().allocations, live = tr_memory().live_bytes;
        for (int i = 0; i < 10; i++) step_run(&r, &c);
        ck_assert_int_eq(tr_memory().allocations, before);
        ck_assert_int_le(tr_memory().live_bytes, live);
    }
}
END_TEST

/* --- Checkpoints ------------------------------------------------------------------------------ */

/* 8 steps, state and weights through a file, 8 more: the same bits as 16 steps at once. */
START_TEST(resume_is_exact)
{
    const char *path = "/tmp/tenrec-test-optim.safetensors";
    for (size_t k = 0; k < COUNT(golden_cases); k++) {
        const golden_case *c = &golden_cases[k];
        run whole = start_run(c, TR_F32), first = start_run(c, TR_F32);
        while (whole.t < 16) step_run(&whole, c);
        while (first.t < 8) step_run(&first, c);
        tr_optimizer_set_lr(first.o, tr_optimizer_lr(first.o));
        tr_named_list saved = { 0 }, loaded = { 0 };
        tr_named_push(&saved, "u", first.part[0]);
        tr_named_push(&saved, "v", first.part[1]);
        tr_optimizer_state(first.o, &saved);
        ck_assert_int_eq(tr_save_safetensors(path, &saved, NULL), TR_OK);

        golden_case other_lr = *c;
        other_lr.sgd.lr = other_lr.adam.lr = other_lr.rmsprop.lr = 7;
        run second = start_run(&other_lr, TR_F32);
        tr_load_safetensors(path, &loaded);
        tr_assign(second.part[0], tr_named_find(&loaded, "u"));
        tr_assign(second.part[1], tr_named_find(&loaded, "v"));
        ck_assert_int_eq(tr_optimizer_load(second.o, &loaded), TR_OK);
        for (second.t = 8; second.t < 16;) step_run(&second, c);
        for (int i = 0; i < 5; i++) ck_assert_double_eq(value_of(&second, i), value_of(&whole, i));
    }
    remove(path);
}
END_TEST

START_TEST(state_names)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F32, TR_SHAPE(2, 3)));
    tr_optimizer *o = tr_adam(one("encoder.0.weight", w), NULL);
    tr_named_list state = { 0 };
    tr_optimizer_state(o, &state);
    static const char *const names[] = { "adam.lr", "adam.step.encoder.0.weight",
                                         "adam.m.encoder.0.weight", "adam.v.encoder.0.weight" };
    ck_assert_int_eq(state.count, 4);
    for (int i = 0; i < 4; i++) ck_assert_str_eq(state.items[i].name, names[i]);
    state = (tr_named_list){ 0 };
    tr_optimizer_state(tr_sgd(one("w", w), NULL), &state);
    ck_assert_int_eq(state.count, 2); /* no momentum, no state for it */
}
END_TEST

START_TEST(state_errors)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F32, TR_SHAPE(2, 3)));
    tr_optimizer *o = tr_adam(one("w", w), NULL);
    tr_named_list state = { 0 };
    tr_optimizer_state(o, &state);
    tr_named_list part = state;
    part.count--;
    tr_optimizer_load(o, &part);
    expect_error(TR_ERR_VALUE, "adam: the saved state has no adam.v.w");

    tr_named_list wrong = { 0 };
    tr_named_push(&wrong, "adam.lr", tr_scalar(TR_F64, 5));
    tr_named_push(&wrong, "adam.step.w", tr_scalar(TR_I64, 5));
    tr_named_push(&wrong, "adam.m.w", tr_ones(TR_F32, TR_SHAPE(2, 3)));
    tr_named_push(&wrong, "adam.v.w", tr_ones(TR_F32, TR_SHAPE(3, 2)));
    tr_optimizer_load(o, &wrong);
    expect_error(TR_ERR_SHAPE, "adam: the saved adam.v.w is f32[3, 2]; f32[2, 3] was expected");
    ck_assert_double_eq(tr_optimizer_lr(o), 1e-3); /* nothing was taken over */
    ck_assert_int_eq(tr_optimizer_steps(o), 0);
}
END_TEST

/* --- Errors ----------------------------------------------------------------------------------- */

START_TEST(option_errors)
{
    const tr_named_list p = one("w", tr_variable(tr_ones(TR_F32, TR_SHAPE(2))));
    ck_assert_ptr_null(tr_adam(p, &(tr_adam_options){ .beta1 = 1.5 }));
    expect_error(TR_ERR_VALUE, "adam: beta1 is 1.5; it must be at least 0 and below 1");
    ck_assert_ptr_null(tr_adamw(p, &(tr_adam_options){ .beta2 = 1 }));
    expect_error(TR_ERR_VALUE, "adamw: beta2 is 1; it must be at least 0 and below 1");
    ck_assert_ptr_null(tr_adam(p, &(tr_adam_options){ .epsilon = -2 }));
    expect_error(TR_ERR_VALUE, "adam: epsilon is -2; it must be a finite number, 0 or more");
    ck_assert_ptr_null(tr_adam(p, &(tr_adam_options){ .lr = INFINITY }));
    expect_error(TR_ERR_VALUE, "adam: lr is inf; it must be a finite number, 0 or more");
    ck_assert_ptr_null(tr_adam(p, &(tr_adam_options){ .weight_decay = NAN }));
    expect_error(TR_ERR_VALUE, "adam: weight_decay is nan; it must be a finite number, 0 or more");
    ck_assert_ptr_null(tr_sgd(p, &(tr_sgd_options){ .momentum = -0.5 }));
    expect_error(TR_ERR_VALUE, "sgd: momentum is -0.5; it must be at least 0 and below 1");
    ck_assert_ptr_null(tr_sgd(p, &(tr_sgd_options){ .momentum = 0.9, .dampening = 2 }));
    expect_error(TR_ERR_VALUE, "sgd: dampening is 2; it must be at least 0 and at most 1");
    ck_assert_ptr_null(tr_sgd(p, &(tr_sgd_options){ .nesterov = true }));
    expect_error(TR_ERR_VALUE,
                 "sgd: nesterov needs momentum above 0 and no dampening; they are 0 and 0");
    ck_assert_ptr_null(tr_rmsprop(p, &(tr_rmsprop_options){ .alpha = 1 }));
    expect_error(TR_ERR_VALUE, "rmsprop: alpha is 1; it must be at least 0 and below 1");
    ck_assert_ptr_null(tr_rmsprop(p, &(tr_rmsprop_options){ .momentum = 1 }));
    expect_error(TR_ERR_VALUE, "rmsprop: momentum is 1; it must be at least 0 and below 1");
}
END_TEST

static void ck_refused(const char *name, tr_tensor *t, const char *message)
{
    expect_ok();
    ck_assert_ptr_null(tr_adam(one(name, t), NULL));
    expect_error(TR_ERR_VALUE, message);
}

START_TEST(parameter_errors)
{
    ck_refused("w", NULL, "adam: parameter w is NULL");
    ck_refused("w", tr_arange(TR_I64, 3), "adam: parameter w is neither f32 nor f64");
    tr_tensor *w = tr_variable(tr_ones(TR_F64, TR_SHAPE(2, 3)));
    ck_refused("w", tr_square(w),
               "adam: parameter w was computed by an operation; a leaf was expected");
    ck_refused("w", tr_transpose(tr_ones(TR_F64, TR_SHAPE(2, 3)), 0, 1),
               "adam: parameter w is not contiguous");

    tr_scope *inner = tr_scope_push();
    tr_tensor *gone = tr_ones(TR_F64, TR_SHAPE(2));
    tr_scope_pop(inner);
    ck_refused("w", gone, "adam: parameter w belongs to a closed scope");

    tr_named_list twice = one("w", w);
    tr_named_push(&twice, "w", tr_ones(TR_F64, TR_SHAPE(1)));
    ck_assert_ptr_null(tr_sgd(twice, NULL));
    expect_error(TR_ERR_VALUE, "sgd: two parameters have the name w");
}
END_TEST

START_TEST(closed_scope_parameter)
{
    tr_scope *inner = tr_scope_push();
    tr_tensor *keep = tr_variable(tr_ones(TR_F64, TR_SHAPE(1)));
    tr_tensor *w = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_named_list p = one("keep", keep);
    tr_named_push(&p, "w", w);
    tr_optimizer *o = tr_sgd(p, NULL);
    tr_backward(tr_sum(keep, TR_ALL_AXES, false));
    w->alive = TRI_CLOSED; /* as if its scope had been closed */
    ck_assert_int_ne(tr_optimizer_step(o), TR_OK);
    expect_error(TR_ERR_VALUE, "sgd: parameter w belongs to a closed scope");
    ck_assert_double_eq(tr_item(keep), 1); /* none has moved */
    tr_clip_grad_norm(p, 1);
    expect_error(TR_ERR_STATE,
                 "clip_grad_norm: tensor from a closed scope; hand it out with tr_scope_keep");
    tr_scope_pop(inner);
}
END_TEST

START_TEST(group_errors)
{
    tr_tensor *w = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_optimizer *o = tr_sgd(one("w", w), NULL);
    tr_optimizer_add_group(o, one("w", tr_ones(TR_F64, TR_SHAPE(2))), NULL);
    expect_error(TR_ERR_VALUE, "sgd: two parameters have the name w");
    tr_optimizer_add_group(o, one("b", w), &(tr_group_options){ .lr_factor = -2 });
    expect_error(TR_ERR_VALUE,
                 "sgd: the group's lr_factor is -2; it must be a finite number, 0 or more");
    tr_scope *inner = tr_scope_push();
    tr_optimizer_add_group(o, one("b", w), NULL);
    expect_error(TR_ERR_STATE, "sgd: a group is added in another scope than the optimiser's");
    tr_scope_pop(inner);
    tr_optimizer_step(NULL);
    expect_error(TR_ERR_VALUE, "optimizer_step: the optimiser is NULL");
}
END_TEST

/* --- Clipping --------------------------------------------------------------------------------- */

START_TEST(clip_norm)
{
    tr_tensor *u = tr_variable(tr_zeros(TR_F64, TR_SHAPE(3)));
    tr_tensor *v = tr_variable(tr_zeros(TR_F32, TR_SHAPE(2)));
    tr_named_list p = one("u", u);
    tr_named_push(&p, "v", v);
    tr_named_push(&p, "without", tr_variable(tr_zeros(TR_F32, TR_SHAPE(2))));
    ck_assert_double_eq(tr_clip_grad_norm(p, 1), 0);
    tr_backward(tr_sum(tr_scale(u, 2), TR_ALL_AXES, false)); /* 2, 2, 2 */
    tr_backward(tr_sum(tr_scale(v, 3), TR_ALL_AXES, false)); /* 3, 3 */
    const double norm = sqrt(12 + 18);
    ck_close(tr_clip_grad_norm(p, norm * 1.01), norm, 1e-15); /* above: nothing changes */
    ck_assert_double_eq(tr_at(u->grad, TR_SHAPE(0)), 2);
    ck_close(tr_clip_grad_norm(p, 0.5), norm, 1e-15);
    ck_close(tr_at(u->grad, TR_SHAPE(2)), 2 * 0.5 / norm, 1e-6);
    ck_close(tr_at(v->grad, TR_SHAPE(1)), 3 * 0.5 / norm, 1e-6);
    ck_close(tr_clip_grad_norm(p, 0.25), 0.5, 1e-5);
    ck_close(tr_clip_grad_norm(p, 100), 0.25, 1e-5);
    ck_assert(isnan(tr_clip_grad_norm(p, 0)));
    expect_error(TR_ERR_VALUE, "clip_grad_norm: max_norm is 0; it must be above 0");
}
END_TEST

START_TEST(clip_not_finite)
{
    tr_tensor *u = tr_variable(tr_ones(TR_F64, TR_SHAPE(2)));
    tr_backward(tr_sum(tr_mul(u, tr_from(TR_F64, TR_SHAPE(2), (double[]){ INFINITY, 1 })),
                       TR_ALL_AXES, false));
    ck_assert(isinf(tr_clip_grad_norm(one("u", u), 1)));
    ck_assert_double_eq(tr_at(u->grad, TR_SHAPE(1)), 1);
    expect_ok();
}
END_TEST

START_TEST(clip_value)
{
    tr_tensor *u = tr_variable(tr_ones(TR_F64, TR_SHAPE(4)));
    tr_tensor *c = tr_from(TR_F64, TR_SHAPE(4), (double[]){ -5, -0.5, NAN, 2 });
    tr_backward(tr_sum(tr_mul(u, c), TR_ALL_AXES, false));
    ck_assert_int_eq(tr_clip_grad_value(one("u", u), 1), TR_OK);
    ck_assert_double_eq(tr_at(u->grad, TR_SHAPE(0)), -1);
    ck_assert_double_eq(tr_at(u->grad, TR_SHAPE(1)), -0.5);
    ck_assert(isnan(tr_at(u->grad, TR_SHAPE(2))));
    ck_assert_double_eq(tr_at(u->grad, TR_SHAPE(3)), 1);
    tr_clip_grad_value(one("u", u), -1);
    expect_error(TR_ERR_VALUE, "clip_grad_value: the limit is -1; it must be above 0");
}
END_TEST

/* The gradients of a sum are views of one block: each must be clipped once, and nothing else
 * touched. */
START_TEST(clip_shared_memory)
{
    tr_tensor *u = tr_variable(tr_ones(TR_F64, TR_SHAPE(3)));
    tr_tensor *v = tr_variable(tr_ones(TR_F64, TR_SHAPE(3)));
    tr_tensor *c = tr_full(TR_F64, TR_SHAPE(3), 4);
    tr_named_list p = one("u", u);
    tr_named_push(&p, "v", v);
    tr_backward(tr_sum(tr_mul(tr_add(u, v), c), TR_ALL_AXES, false));
    const double norm = tr_clip_grad_norm(p, 1);
    ck_close(norm, 4 * sqrt(6), 1e-15);
    for (int i = 0; i < 3; i++) {
        ck_close(tr_at(u->grad, TR_SHAPE(i)), 1 / sqrt(6), 1e-6);
        ck_close(tr_at(v->grad, TR_SHAPE(i)), 1 / sqrt(6), 1e-6);
        ck_assert_double_eq(tr_at(c, TR_SHAPE(i)), 4);
    }
}
END_TEST

/* --- Schedules -------------------------------------------------------------------------------- */

START_TEST(schedules)
{
    for (size_t k = 0; k < COUNT(golden_schedules); k++)
        for (int t = 29; t >= 0; t--)
            ck_close(tr_schedule_at(&golden_schedules[k].schedule, t), golden_schedules[k].lr[t],
                     1e-12);
}
END_TEST

START_TEST(schedule_ends)
{
    const tr_schedule s = {
        .kind = TR_SCHEDULE_COSINE, .lr = 1, .min = 0.25, .length = 10, .warmup = 4
    };
    ck_close(tr_schedule_at(&s, 0), 0.2, 1e-15);
    ck_close(tr_schedule_at(&s, 3), 0.8, 1e-15);
    ck_close(tr_schedule_at(&s, 4), 1, 1e-15);
    ck_close(tr_schedule_at(&s, 9), 0.625, 1e-15);
    ck_assert_double_eq(tr_schedule_at(&s, 14), 0.25);
    ck_assert_double_eq(tr_schedule_at(&s, INT64_MAX), 0.25);
    const tr_schedule floor = { .kind = TR_SCHEDULE_EXPONENTIAL, .lr = 1, .min = 0.5 };
    ck_assert_double_eq(tr_schedule_at(&floor, 1000), 0.5);
    ck_assert_str_eq(tr_schedule_name(TR_SCHEDULE_MILESTONES), "milestones");
    ck_assert_ptr_null(tr_schedule_name((tr_schedule_kind)5));
}
END_TEST

static void ck_schedule_fails(tr_schedule s, int64_t t, const char *message)
{
    ck_assert(isnan(tr_schedule_at(&s, t)));
    expect_error(TR_ERR_VALUE, message);
}

START_TEST(schedule_errors)
{
    ck_schedule_fails((tr_schedule){ 0 }, 0,
                      "schedule: lr is 0; it must be a finite number above 0");
    ck_schedule_fails((tr_schedule){ .kind = (tr_schedule_kind)9, .lr = 1 }, 0,
                      "schedule: it is NULL or of no known kind");
    ck_schedule_fails((tr_schedule){ .lr = 1 }, -1,
                      "schedule: the time is -1; it must be at least 0");
    ck_schedule_fails((tr_schedule){ .kind = TR_SCHEDULE_STEP, .lr = 1 }, 0,
                      "schedule: every is 0; it must be at least 1");
    ck_schedule_fails((tr_schedule){ .kind = TR_SCHEDULE_COSINE, .lr = 1 }, 0,
                      "schedule: length is 0; it must be at least 1");
    ck_schedule_fails((tr_schedule){ .lr = 1, .warmup = -3 }, 0,
                      "schedule: warmup is -3; it must be at least 0");
    ck_schedule_fails((tr_schedule){ .lr = 1, .factor = -3 }, 0,
                      "schedule: factor is -3; it must be a finite number, 0 or more");
    ck_schedule_fails(
        (tr_schedule){
            .kind = TR_SCHEDULE_MILESTONES, .lr = 1, .milestones = {5, 5}
    },
        0, "schedule: milestone 5 after 5; they must ascend from above 0");
}
END_TEST

START_TEST(plateaus)
{
    for (size_t k = 0; k < COUNT(golden_plateaus); k++) {
        tr_plateau p = golden_plateaus[k].plateau;
        double lr = 0.2;
        for (size_t t = 0; t < COUNT(plateau_metrics); t++) {
            tr_named_list state = { 0 }; /* through a checkpoint in every epoch */
            tr_plateau again = golden_plateaus[k].plateau;
            ck_assert_int_eq(tr_plateau_state(&p, &state), TR_OK);
            ck_assert_int_eq(tr_plateau_load(&again, &state), TR_OK);
            p = again;
            lr = tr_plateau_step(&p, lr, plateau_metrics[t]);
            ck_close(lr, golden_plateaus[k].lr[t], 1e-12);
        }
    }
}
END_TEST

START_TEST(plateau_edges)
{
    tr_plateau p = { .patience = 2 };
    ck_assert_double_eq(tr_plateau_step(&p, 1, NAN), 1);
    ck_assert_double_eq(tr_plateau_step(&p, 1, NAN), 0.1);
    ck_assert_double_eq(tr_plateau_step(&p, 0.1, 5), 0.1);
    tr_plateau low = { .patience = 1, .min = 0.5 };
    ck_assert_double_eq(tr_plateau_step(&low, 0.25, NAN), 0.25); /* never raised */
    tr_plateau_step(&(tr_plateau){ .factor = 1 }, 1, 1);
    expect_error(TR_ERR_VALUE, "plateau: factor is 1; it must be at least 0 and below 1");
    tr_plateau_step(&(tr_plateau){ .patience = -1 }, 1, 1);
    expect_error(TR_ERR_VALUE, "plateau: patience is -1 and cooldown 0; neither may be negative");
    tr_plateau_load(&p, &(tr_named_list){ 0 });
    expect_error(TR_ERR_VALUE, "plateau: the saved state has no plateau");
}
END_TEST

/* --- Averages --------------------------------------------------------------------------------- */

START_TEST(ema)
{
    for (int k = 0; k < 2; k++) {
        const tr_dtype dtype = k == 0 ? TR_F64 : TR_F32;
        tr_tensor *w = tr_ones(dtype, TR_SHAPE(700));
        const tr_named_list p = one("w", w);
        tr_ema *e = tr_ema_new(p, 0.75);
        tr_fill(w, 2);
        tr_ema_update(e);
        tr_fill(w, 6);
        tr_ema_update(e);
        const uint32_t before = w->storage->version;
        ck_assert_int_eq(tr_ema_swap(e), TR_OK);
        ck_assert_uint_gt(w->storage->version, before);
        ck_assert_double_eq(tr_at(w, TR_SHAPE(0)), 0.75 * 1.25 + 1.5);
        ck_assert_double_eq(tr_at(w, TR_SHAPE(699)), 0.75 * 1.25 + 1.5);
        tr_ema_swap(e);
        ck_assert_double_eq(tr_at(w, TR_SHAPE(699)), 6);

        tr_named_list state = { 0 };
        tr_ema *other = tr_ema_new(p, 0.75);
        ck_assert_int_eq(tr_ema_state(e, &state), TR_OK);
        ck_assert_str_eq(state.items[0].name, "ema.w");
        ck_assert_int_eq(tr_ema_load(other, &state), TR_OK);
        tr_ema_swap(other);
        ck_assert_double_eq(tr_at(w, TR_SHAPE(350)), 0.75 * 1.25 + 1.5);
        tr_ema_load(other, &(tr_named_list){ 0 });
        expect_error(TR_ERR_VALUE, "ema: the saved state has no ema.w");
        ck_assert_ptr_null(tr_ema_new(p, 1));
        expect_error(TR_ERR_VALUE, "ema: decay is 1; it must be at least 0 and below 1");
    }
}
END_TEST

/* --- Out of memory ---------------------------------------------------------------------------- */

static int64_t fuse; /* allocations until one fails */

static void *failing_alloc(void *context, size_t alignment, size_t bytes)
{
    (void)context;
    return fuse-- > 0 ? aligned_alloc(alignment, bytes) : NULL;
}

static void failing_release(void *context, void *block, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(block);
}

START_TEST(out_of_memory)
{
    tr_scope_pop(scope);
    const golden_case c = {
        .rule = RMSPROP, .rmsprop = {.momentum = 0.5, .centered = true}
    };
    bool done = false;
    for (int64_t n = 0; !done; n++) {
        ck_assert_int_lt(n, 1000);
        tr_memory_trim();
        tr_set_allocator(&(tr_allocator){ failing_alloc, failing_release, NULL });
        fuse = n;
        tr_scope *inner = tr_scope_push();
        tr_tensor *w = tr_variable(tr_ones(TR_F32, TR_SHAPE(100)));
        tr_optimizer *o = make(&c, one("w", w));
        tr_backward(tr_sum(tr_square(w), TR_ALL_AXES, false));
        if (w != NULL) tr_clip_grad_norm(one("w", w), 0.5);
        done = tr_optimizer_step(o) == TR_OK;
        if (!done) ck_assert_int_eq(tr_status_get(), TR_ERR_MEMORY);
        tr_error_clear();
        tr_scope_pop(inner);
        tr_memory_trim();
        tr_set_allocator(NULL);
    }
    scope = tr_scope_push();
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { trajectories_f64 },
        { trajectories_f32 },
        { many_elements },
        { same_bits_on_threads },
        { step_clears_and_counts_changes },
        { stale_graph },
        { shared_tensor_moves_once },
        { learning_rate },
        { centered_constant_gradient },
        { steps_allocate_nothing },
        { resume_is_exact },
        { state_names },
        { state_errors },
        { option_errors },
        { parameter_errors },
        { closed_scope_parameter },
        { group_errors },
        { clip_norm },
        { clip_not_finite },
        { clip_value },
        { clip_shared_memory },
        { schedules },
        { schedule_ends },
        { schedule_errors },
        { plateaus },
        { plateau_edges },
        { ema },
        { out_of_memory },
        { 0 },
    };
    return run_tests("optim", setup, teardown, tests);
}
