/* test_ops_images.c: convolutions, pooling, resizing and patches: against PyTorch
 * (golden/images.txt), the identities that tie each family together, kinks and ties, derivatives of
 * order 3, and every error message. The kernels themselves are tested against loops in test_conv.c,
 * test_pool.c, test_resize.c. */
#include "tests/golden.h"
#include "tests/suite.h"

/* --- PyTorch ---------------------------------------------------------------------------------- */

static tr_conv_options conv_options(const int64_t *p)
{
    return (tr_conv_options){ .stride = { p[0], p[1] },
                              .pad = { { p[2], p[3] }, { p[4], p[5] } },
                              .dilation = { p[6], p[7] } };
}

static tr_tensor *run_conv2d(const golden_case *g, tr_tensor **in)
{
    tr_conv_options o = conv_options(g->number);
    o.groups = g->number[8];
    o.act = (tr_activation)g->number[9];
    return tr_conv2d(in[0], in[1], in[2], &o);
}

static tr_tensor *run_conv2d_same(const golden_case *g, tr_tensor **in)
{
    const int64_t *p = g->number;
    return tr_conv2d(in[0], in[1], NULL,
                     &(tr_conv_options){ .stride = { p[0], p[1] },
                                         .dilation = { p[2], p[3] },
                                         .padding = TR_PAD_SAME });
}

static tr_tensor *run_conv2d_transpose(const golden_case *g, tr_tensor **in)
{
    tr_conv_options o = conv_options(g->number);
    o.groups = g->number[8];
    o.act = (tr_activation)g->number[9];
    o.output_padding[0] = g->number[10];
    o.output_padding[1] = g->number[11];
    return tr_conv2d_transpose(in[0], in[1], in[2], &o);
}

static tr_conv_options signal_options(const int64_t *p)
{
    return (tr_conv_options){ .stride = { p[0] },
                              .pad = { { p[1], p[1] } },
                              .dilation = { p[2] },
                              .output_padding = { p[3] } };
}

static tr_tensor *run_conv1d(const golden_case *g, tr_tensor **in)
{
    const tr_conv_options o = signal_options(g->number);
    return tr_conv1d(in[0], in[1], in[2], &o);
}

static tr_tensor *run_conv1d_transpose(const golden_case *g, tr_tensor **in)
{
    const tr_conv_options o = signal_options(g->number);
    return tr_conv1d_transpose(in[0], in[1], in[2], &o);
}

static tr_pool_options pool_options(const int64_t *p)
{
    return (tr_pool_options){ .window = { p[0], p[1] },
                              .stride = { p[2], p[3] },
                              .pad = { { p[4], p[5] }, { p[6], p[7] } },
                              .dilation = { p[8], p[9] },
                              .ceil = p[10] != 0,
                              .skip_padding = p[11] == 0 };
}

static tr_tensor *run_max_pool2d(const golden_case *g, tr_tensor **in)
{
    const tr_pool_options o = pool_options(g->number);
    return tr_max_pool2d(in[0], &o);
}

static tr_tensor *run_avg_pool2d(const golden_case *g, tr_tensor **in)
{
    const tr_pool_options o = pool_options(g->number);
    return tr_avg_pool2d(in[0], &o);
}

static const tr_pool_options by_2 = { .window = { 2, 2 } };

static tr_tensor *run_max_unpool2d(const golden_case *g, tr_tensor **in)
{
    return tr_max_unpool2d(tr_square(tr_max_pool2d(in[0], &by_2)),
                           tr_max_pool2d_index(in[0], &by_2), g->shape[0].dim[1],
                           g->shape[0].dim[2]);
}

static tr_tensor *run_adaptive(const golden_case *g, tr_tensor **in)
{
    return tr_adaptive_avg_pool2d(in[0], g->number[0], g->number[1]);
}

static tr_tensor *run_global_avg(const golden_case *g, tr_tensor **in)
{
    (void)g;
    return tr_global_avg_pool2d(in[0]);
}

static tr_tensor *run_global_max(const golden_case *g, tr_tensor **in)
{
    (void)g;
    return tr_global_max_pool2d(in[0]);
}

static tr_tensor *run_nearest(const golden_case *g, tr_tensor **in)
{
    return tr_upsample_nearest(in[0], g->number[0], g->number[1]);
}

static tr_tensor *run_bilinear(const golden_case *g, tr_tensor **in)
{
    return tr_upsample_bilinear(in[0], g->number[0], g->number[1], g->number[2] != 0);
}

static tr_tensor *run_shuffle(const golden_case *g, tr_tensor **in)
{
    return tr_pixel_shuffle(in[0], g->number[0]);
}

static tr_tensor *run_unshuffle(const golden_case *g, tr_tensor **in)
{
    return tr_pixel_unshuffle(in[0], g->number[0]);
}

static tr_tensor *run_im2col(const golden_case *g, tr_tensor **in)
{
    const tr_conv_options o = conv_options(g->number + 2);
    return tr_im2col(in[0], g->number[0], g->number[1], &o);
}

static tr_tensor *run_col2im(const golden_case *g, tr_tensor **in)
{
    const tr_conv_options o = conv_options(g->number + 2);
    return tr_col2im(in[0], g->number[10], g->number[11], g->number[0], g->number[1], &o);
}

START_TEST(equal_to_pytorch)
{
    static const golden_op ops[] = {
        { "conv2d", run_conv2d },
        { "conv2d_same", run_conv2d_same },
        { "conv2d_transpose", run_conv2d_transpose },
        { "conv1d", run_conv1d },
        { "conv1d_transpose", run_conv1d_transpose },
        { "max_pool2d", run_max_pool2d },
        { "avg_pool2d", run_avg_pool2d },
        { "max_unpool2d", run_max_unpool2d },
        { "adaptive_avg_pool2d", run_adaptive },
        { "global_avg_pool2d", run_global_avg },
        { "global_max_pool2d", run_global_max },
        { "upsample_nearest", run_nearest },
        { "upsample_bilinear", run_bilinear },
        { "pixel_shuffle", run_shuffle },
        { "pixel_unshuffle", run_unshuffle },
        { "im2col", run_im2col },
        { "col2im", run_col2im },
    };
    ck_assert_int_gt(golden_replay("images.txt", ops, sizeof ops / sizeof ops[0]), 900);
}
END_TEST

/* --- Identities ------------------------------------------------------------------------------- */

static tr_tensor *integers(tr_shape shape)
{
    return draw_plain(TR_F64, shape);
}

/* <conv2d(x, w), g> = <x, conv2d_dx(g, w)> = <w, conv2d_dw(x, g)>, exactly on integers; and the
 * product of patches with w is conv2d. */
START_TEST(convolutions_are_one_trilinear_form)
{
    for (int number = 0; number < 200; number++) {
        tr_scope       *scope = tr_scope_push();
        tr_conv_options o = { .stride = { draw_between(1, 3), draw_between(1, 3) },
                              .pad = { { draw(3), draw(3) }, { draw(3), draw(3) } },
                              .dilation = { draw_between(1, 2), draw_between(1, 2) },
                              .groups = draw_between(1, 3) };
        if (draw(4) == 0) {
            memset(o.pad, 0, sizeof o.pad);
            o.padding = TR_PAD_SAME;
        }
        const int64_t kh = draw_between(1, 3), kw = draw_between(1, 3),
                      c = draw_between(1, 3) * o.groups;
        const int64_t h = draw_between(5, 8), wide = draw_between(5, 8),
                      k = draw_between(1, 3) * o.groups;
        tr_tensor *x = integers(TR_SHAPE(draw_between(1, 2), h, wide, c));
        tr_tensor *w = integers(TR_SHAPE(kh, kw, c / o.groups, k));
        tr_tensor *y = tr_conv2d(x, w, NULL, &o);
        ck_assert_msg(y != NULL, "%s", tr_error());
        tr_tensor *g = integers(tr_shape_of(y));
        tr_tensor *dx = tr_conv2d_dx(g, w, h, wide, &o), *dw = tr_conv2d_dw(x, g, kh, kw, &o);
        ck_assert_msg(dx != NULL && dw != NULL, "%s", tr_error());
        ck_assert(dot(y, g) == dot(dx, x));
        ck_assert(dot(y, g) == dot(dw, w));
        tr_tensor *columns = tr_im2col(x, kh, kw, &o);
        if (o.groups == 1)
            expect_equal(tr_matmul(columns, tr_reshape(w, TR_SHAPE(kh * kw * c, k))), y, "im2col",
                         number);
        tr_tensor *patches = integers(tr_shape_of(columns));
        ck_assert(dot(columns, patches) == dot(x, tr_col2im(patches, h, wide, kh, kw, &o)));
        tr_scope_pop(scope);
    }
}
END_TEST

/* Keras: 'same' makes H stride of H, and is the adjoint of the convolution that makes H of H
 * stride. */
START_TEST(transposed_same_is_the_adjoint_of_same)
{
    for (int64_t stride = 1; stride <= 3; stride++) {
        for (int64_t kernel = 1; kernel <= 5; kernel++) {
            tr_scope             *scope = tr_scope_push();
            const tr_conv_options o = { .stride = { stride, stride }, .padding = TR_PAD_SAME };
            tr_tensor            *x = integers(TR_SHAPE(2, 3, 4, 2)),
                      *w = integers(TR_SHAPE(kernel, kernel, 3, 2));
            tr_tensor *y = tr_conv2d_transpose(x, w, NULL, &o);
            ck_assert_msg(y != NULL, "%s", tr_error());
            ck_assert_int_eq(y->shape[1], 3 * stride);
            ck_assert_int_eq(y->shape[2], 4 * stride);
            ck_assert_int_eq(y->shape[3], 3);
            tr_tensor *g = integers(tr_shape_of(y));
            ck_assert(dot(y, g) == dot(x, tr_conv2d(g, w, NULL, &o)));
            tr_scope_pop(scope);
        }
    }
}
END_TEST

START_TEST(all_activations_apply_to_convolutions)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = integers(TR_SHAPE(1, 4, 4, 2));
    tr_tensor *w = tr_scale(integers(TR_SHAPE(3, 3, 2, 2)), 0.1), *b = integers(TR_SHAPE(2));
    for (tr_activation act = TR_IDENTITY; tr_activation_name(act) != NULL;
         act = (tr_activation)(act + 1)) {
        const tr_conv_options o = { .act = act }, plain = { 0 };
        tr_tensor *y = tr_conv2d(x, w, b, &o), *z = tr_activate(tr_conv2d(x, w, b, &plain), act);
        tr_tensor *u = tr_conv2d_transpose(x, w, b, &o);
        tr_tensor *v = tr_activate(tr_conv2d_transpose(x, w, b, &plain), act);
        ck_assert_msg(y != NULL && u != NULL, "%s", tr_error());
        for (int64_t i = 0; i < tr_numel(y); i++)
            ck_assert_double_eq_tol(get(y, i), get(z, i), 1e-15);
        for (int64_t i = 0; i < tr_numel(u); i++)
            ck_assert_double_eq_tol(get(u, i), get(v, i), 1e-15);
    }
    tr_scope_pop(scope);
}
END_TEST

/* <pool(x), g> = <x, adjoint(g)>, exactly: windows hold 1, 2 or 4 pixels. */
START_TEST(pooling_and_its_adjoint_agree)
{
    tr_scope             *scope = tr_scope_push();
    const tr_pool_options o = { .window = { 2, 2 },
                                .stride = { 1, 2 },
                                .pad = { { 1, 0 }, { 0, 1 } } };
    tr_tensor            *x = integers(TR_SHAPE(2, 5, 5, 3)), *gx;
    tr_tensor            *v = tr_variable(x);
    for (int largest = 0; largest < 2; largest++) {
        tr_tensor            *y = largest ? tr_max_pool2d(v, &o) : tr_avg_pool2d(v, &o);
        tr_tensor            *g = integers(tr_shape_of(y));
        const tr_grad_options options = { .cotangents = &g };
        ck_assert_int_eq(tr_grad(&y, 1, &v, 1, &gx, &options), TR_OK);
        ck_assert(dot(y, g) == dot(x, gx));
    }
    tr_tensor *index = tr_max_pool2d_index(x, &o);
    ck_assert_int_eq(index->dtype, TR_I64);
    expect_equal(tr_pool_gather(x, index), tr_max_pool2d(x, &o), "pool_gather", 0);
    tr_scope_pop(scope);
}
END_TEST

START_TEST(the_first_of_equals_gets_the_gradient)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = tr_variable(tr_ones(TR_F32, TR_SHAPE(1, 3, 3, 1)));
    tr_tensor *y = tr_max_pool2d(x, &(tr_pool_options){ .window = { 2, 2 }, .stride = { 1, 1 } });
    ck_assert_int_eq(tr_backward(tr_sum(y, TR_ALL_AXES, false)), TR_OK);
    const float expected[9] = { 1, 1, 0, 1, 1, 0, 0, 0, 0 };
    for (int i = 0; i < 9; i++) ck_assert_float_eq(((float *)x->grad->data)[i], expected[i]);

    tr_tensor *z = tr_variable(tr_ones(TR_F32, TR_SHAPE(1, 2, 2, 1)));
    ck_assert_int_eq(tr_backward(tr_sum(tr_global_max_pool2d(z), TR_ALL_AXES, false)), TR_OK);
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(((float *)z->grad->data)[i], i == 0 ? 1.0f : 0.0f);
    tr_scope_pop(scope);
}
END_TEST

START_TEST(unpooled_values_at_one_place_add_up)
{
    tr_scope   *scope = tr_scope_push();
    tr_tensor  *x = tr_from(TR_F32, TR_SHAPE(1, 1, 3, 1), (float[]){ 1, 2, 4 });
    tr_tensor  *index = tr_from(TR_I64, TR_SHAPE(1, 1, 3, 1), (int64_t[]){ 3, 0, 3 });
    tr_tensor  *y = tr_max_unpool2d(x, index, 2, 2);
    const float expected[4] = { 2, 0, 0, 5 };
    for (int i = 0; i < 4; i++) ck_assert_float_eq(((float *)y->data)[i], expected[i]);
    tr_scope_pop(scope);
}
END_TEST

START_TEST(same_padding_of_averages_is_not_counted)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *y = tr_avg_pool2d(
        tr_ones(TR_F64, TR_SHAPE(1, 5, 4, 1)),
        &(tr_pool_options){ .window = { 3, 3 }, .stride = { 2, 1 }, .padding = TR_PAD_SAME });
    ck_assert_int_eq(y->shape[1], 3);
    ck_assert_int_eq(y->shape[2], 4);
    for (int64_t i = 0; i < tr_numel(y); i++) ck_assert_double_eq(get(y, i), 1);
    tr_scope_pop(scope);
}
END_TEST

START_TEST(unshuffling_undoes_shuffling)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = integers(TR_SHAPE(2, 3, 2, 18));
    expect_equal(tri_contiguous(tr_pixel_unshuffle(tr_pixel_shuffle(x, 3), 3)), x, "unshuffle", 0);
    tr_scope_pop(scope);
}
END_TEST

START_TEST(third_derivatives)
{
    /* an example with a curved activation, and small ones of what is linear */
    expect_third_derivatives("conv2d", 4);
    expect_third_derivatives("conv2d_dx", 4);
    expect_third_derivatives("conv2d_dw", 4);
    expect_third_derivatives("upsample_conv2d", 4);
    expect_third_derivatives("conv2d_pool", 4);
    expect_third_derivatives("max_pool2d", 4);
    expect_third_derivatives("avg_pool2d", 4);
}
END_TEST

/* --- Errors ----------------------------------------------------------------------------------- */

static tr_tensor *zeros4(int64_t a, int64_t b, int64_t c, int64_t d)
{
    return tr_zeros(TR_F32, TR_SHAPE(a, b, c, d));
}

START_TEST(convolution_errors)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = zeros4(2, 5, 4, 3), *w = zeros4(3, 3, 3, 2),
              *flat = tr_zeros(TR_F32, TR_SHAPE(2, 3));
    expect_null(
        tr_conv2d(flat, w, NULL, NULL),
        "conv2d: four axes each are needed: x is f32[2, 3], w is f32[3, 3, 3, 2]; images are "
        "[N, H, W, C], kernels [KH, KW, C / groups, K]");
    expect_null(tr_conv2d(x, zeros4(3, 3, 4, 2), NULL, NULL),
                "conv2d: channels differ: x is f32[2, 5, 4, 3], w is f32[3, 3, 4, 2]; kernels are "
                "[KH, KW, C / groups, K]");
    expect_null(
        tr_conv2d(x, w, NULL, &(tr_conv_options){ .groups = 2 }),
        "conv2d: groups do not divide the channels: x is f32[2, 5, 4, 3], w is f32[3, 3, 3, 2]");
    expect_null(tr_conv2d(x, zeros4(3, 5, 3, 2), NULL, NULL),
                "conv2d: the kernel is larger than the padded image: x is f32[2, 5, 4, 3], w is "
                "f32[3, 5, 3, 2]");
    expect_null(tr_conv2d(x, zeros4(0, 3, 3, 2), NULL, NULL),
                "conv2d: the kernel is empty: x is f32[2, 5, 4, 3], w is f32[0, 3, 3, 2]");
    expect_null(
        tr_conv2d(x, w, tr_zeros(TR_F32, TR_SHAPE(3)), NULL),
        "conv2d: the bias needs one value per channel of the result: x is f32[2, 5, 4, 3], w is "
        "f32[3, 3, 3, 2], bias is f32[3]");
    expect_null(
        tr_conv2d(x, tr_zeros(TR_F64, TR_SHAPE(3, 3, 3, 2)), NULL, NULL),
        "conv2d: dtypes differ: x is f32[2, 5, 4, 3], w is f64[3, 3, 3, 2]; convert one with "
        "tr_cast");
    expect_null(tr_conv2d(NULL, w, NULL, NULL), "conv2d: x is NULL");
    expect_null(tr_conv2d(x, w, NULL, &(tr_conv_options){ .stride = { 1, -1 } }),
                "conv2d: stride is -1, not in 1 .. 2147483647");
    expect_null(tr_conv2d(x, w, NULL, &(tr_conv_options){ .pad = { { -1, 0 } } }),
                "conv2d: pad is -1, not in 0 .. 2147483647");
    expect_null(tr_conv2d(x, w, NULL, &(tr_conv_options){ .dilation = { 1LL << 40, 1 } }),
                "conv2d: dilation is 1099511627776, not in 1 .. 2147483647");
    expect_null(
        tr_conv2d(x, w, NULL, &(tr_conv_options){ .padding = TR_PAD_SAME, .pad = { { 1, 1 } } }),
        "conv2d: TR_PAD_SAME computes the padding; leave pad at 0");
    expect_null(
        tr_conv2d_dx(zeros4(2, 3, 3, 2), w, 5, 4, NULL),
        "conv2d_dx: such a convolution gives [2, 3, 2, 2], which is not the shape of g: g is "
        "f32[2, 3, 3, 2], w is f32[3, 3, 3, 2]");
    expect_null(
        tr_conv2d_dw(x, zeros4(2, 3, 3, 2), 3, 3, NULL),
        "conv2d_dw: such a convolution gives [2, 3, 2, 2], which is not the shape of g: x is "
        "f32[2, 5, 4, 3], g is f32[2, 3, 3, 2]");
    expect_null(tr_conv2d_dw(x, zeros4(2, 3, 3, 2), 0, 3, NULL),
                "conv2d_dw: kh is 0, not in 1 .. 2147483647");
    expect_null(
        tr_conv1d(x, w, NULL, NULL),
        "conv1d: three axes each are needed: x is f32[2, 5, 4, 3], w is f32[3, 3, 3, 2]; signals "
        "are [N, L, C], kernels [KW, C / groups, K]");
    tr_scope_pop(scope);
}
END_TEST

START_TEST(transposed_convolution_errors)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = zeros4(1, 2, 2, 3), *w = zeros4(2, 2, 4, 3);
    expect_null(
        tr_conv2d_transpose(x, zeros4(2, 2, 3, 4), NULL, NULL),
        "conv2d_transpose: channels differ: x is f32[1, 2, 2, 3], w is f32[2, 2, 3, 4]; kernels of "
        "a transposed convolution are [KH, KW, out / groups, in]");
    expect_null(tr_conv2d_transpose(x, w, NULL, &(tr_conv_options){ .output_padding = { 1, 0 } }),
                "conv2d_transpose: output_padding is 1, not in 0 .. 0 (below the stride)");
    expect_null(
        tr_conv2d_transpose(x, w, NULL, &(tr_conv_options){ .pad = { { 2, 2 }, { 0, 0 } } }),
        "conv2d_transpose: the result would have no pixels: x is f32[1, 2, 2, 3], w is "
        "f32[2, 2, 4, 3]");
    expect_null(tr_conv2d_transpose(x, w, tr_zeros(TR_F32, TR_SHAPE(3)), NULL),
                "conv2d_transpose: the bias needs one value per channel of the result: x is "
                "f32[1, 2, 2, 3], w is f32[2, 2, 4, 3], bias is f32[3]");
    tr_scope_pop(scope);
}
END_TEST

START_TEST(pooling_errors)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = zeros4(1, 4, 4, 2), *flat = tr_zeros(TR_F32, TR_SHAPE(2, 3));
    tr_tensor *index = tr_full(TR_I64, TR_SHAPE(1, 4, 4, 2), 16);
    expect_null(tr_max_pool2d(x, NULL), "max_pool2d: options are needed: they give the window");
    expect_null(tr_max_pool2d(x, &(tr_pool_options){ .stride = { 2, 2 } }),
                "max_pool2d: window is 0, not in 1 .. 2147483647");
    expect_null(tr_max_pool2d(flat, &by_2),
                "max_pool2d: four axes are needed: x is f32[2, 3]; pictures are [N, H, W, C]");
    expect_null(tr_avg_pool2d(x, &(tr_pool_options){ .window = { 5, 1 } }),
                "avg_pool2d: the window is larger than the padded picture: x is f32[1, 4, 4, 2]");
    expect_null(
        tr_max_pool2d(x, &(tr_pool_options){ .window = { 2, 2 }, .pad = { { 2, 0 }, { 0, 0 } } }),
        "max_pool2d: a window lies in the padding only: x is f32[1, 4, 4, 2]; pad less than the "
        "window's size");
    expect_null(
        tr_max_unpool2d(x, index, 4, 4),
        "max_unpool2d: position 16 is not in a picture of 16 pixels: x is f32[1, 4, 4, 2], index "
        "is i64[1, 4, 4, 2]");
    expect_null(
        tr_max_unpool2d(x, x, 4, 4),
        "max_unpool2d: values are f32 or f64, positions i64: x is f32[1, 4, 4, 2], index is "
        "f32[1, 4, 4, 2]; convert with tr_cast");
    expect_null(tr_pool_gather(zeros4(1, 5, 4, 3), index),
                "pool_gather: pictures or channels differ: x is f32[1, 5, 4, 3], index is "
                "i64[1, 4, 4, 2]; positions are [N, OH, OW, C]");
    expect_null(
        tr_global_avg_pool2d(zeros4(1, 0, 4, 2)),
        "global_avg_pool2d: pictures [N, H, W, C] with pixels are needed: x is f32[1, 0, 4, 2]");
    expect_null(
        tr_max_pool2d(tr_expand(zeros4(1, 1, 1, 1), TR_SHAPE(1, 1 << 16, 1 << 16, 1)), &by_2),
        "max_pool2d: a picture has more than 2^31 - 1 pixels: x is f32[1, 65536, 65536, 1]");
    expect_null(tr_adaptive_avg_pool2d(x, 0, 1),
                "adaptive_avg_pool2d: height is 0, not in 1 .. 2147483647");
    tr_scope_pop(scope);
}
END_TEST

START_TEST(resizing_errors)
{
    tr_scope  *scope = tr_scope_push();
    tr_tensor *x = zeros4(1, 4, 3, 2), *flat = tr_zeros(TR_F32, TR_SHAPE(2, 3));
    expect_null(tr_upsample_nearest(x, 0, 2),
                "upsample_nearest: height is 0, not in 1 .. 2147483647");
    expect_null(
        tr_upsample_bilinear(flat, 2, 2, false),
        "upsample_bilinear: four axes are needed: x is f32[2, 3]; pictures are [N, H, W, C]");
    expect_null(tr_upsample_conv2d(x, x, NULL, 0, TR_RELU),
                "upsample_conv2d: factor is 0, not in 1 .. 2147483647");
    expect_null(tr_upsample_conv2d(zeros4(1, 2, 3, 2), zeros4(3, 3, 4, 1), NULL, 2, TR_RELU),
                "upsample_conv2d: channels differ: x is f32[1, 2, 3, 2], w is f32[3, 3, 4, 1]; "
                "kernels are [KH, KW, C, K]");
    expect_null(
        tr_upsample_conv2d(zeros4(1, 0, 3, 4), zeros4(3, 3, 4, 1), NULL, 2, TR_RELU),
        "upsample_conv2d: the picture has no pixels: x is f32[1, 0, 3, 4], w is f32[3, 3, 4, 1]");
    expect_null(tr_conv2d_pool(x, x, NULL, 0, TR_RELU), "conv2d_pool: window is 0, not in 1 .. 16");
    expect_null(tr_conv2d_pool(zeros4(1, 2, 3, 2), zeros4(3, 3, 2, 1), NULL, 3, TR_RELU),
                "conv2d_pool: the window is larger than the picture: x is f32[1, 2, 3, 2], w is "
                "f32[3, 3, 2, 1]");
    expect_null(tr_upsample_nearest(zeros4(1, 0, 3, 2), 2, 2),
                "upsample_nearest: the picture has no pixels: x is f32[1, 0, 3, 2]");
    expect_null(tr_pixel_shuffle(x, 2),
                "pixel_shuffle: r r does not divide the channels: x is f32[1, 4, 3, 2]");
    expect_null(tr_pixel_unshuffle(x, 2),
                "pixel_unshuffle: r does not divide height and width: x is f32[1, 4, 3, 2]");
    expect_null(tr_pixel_unshuffle(zeros4(1, 0, 0, 50), 1 << 30),
                "pixel_unshuffle: r is too large: x is f32[1, 0, 0, 50]");
    expect_null(tr_im2col(x, 5, 1, NULL),
                "im2col: the window is larger than the padded picture: x is f32[1, 4, 3, 2]");
    expect_null(tr_col2im(x, 4, 3, 1, 3, NULL),
                "col2im: patches of such a window are needed: g is f32[1, 4, 3, 2]; they are "
                "[N, OH, OW, KH KW C]");
    expect_null(tr_col2im(x, 5, 3, 1, 1, NULL),
                "col2im: such a picture has another number of patches: g is f32[1, 4, 3, 2]");
    tr_scope_pop(scope);
}
END_TEST

int main(void)
{
    const test_entry tests[] = {
        { equal_to_pytorch },
        { convolutions_are_one_trilinear_form },
        { transposed_same_is_the_adjoint_of_same },
        { all_activations_apply_to_convolutions },
        { pooling_and_its_adjoint_agree },
        { the_first_of_equals_gets_the_gradient },
        { unpooled_values_at_one_place_add_up },
        { same_padding_of_averages_is_not_counted },
        { unshuffling_undoes_shuffling },
        { third_derivatives },
        { convolution_errors },
        { transposed_convolution_errors },
        { pooling_errors },
        { resizing_errors },
        { 0 },
    };
    draw_state = 11;
    return run_tests("ops_images", NULL, NULL, tests);
}
