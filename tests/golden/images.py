"""Writes images.txt: convolutions, pooling and resizing as PyTorch computes them. See golden.py."""
import os
import random

import torch.nn.functional as F

from golden import case

rng = random.Random(3)
lines = []
ACTIVATIONS = [lambda z: z, F.relu, lambda z: z.sigmoid(), lambda z: z.tanh()]


def picture(x):
    return x.permute(0, 3, 1, 2).contiguous()


def back(y):
    return y.permute(0, 2, 3, 1)


def pick(low, high):
    return rng.randint(low, high)


def axis(largest=3):
    """size, stride, before, after, dilation, kernel: at least one window fits."""
    while True:
        size, stride, dilation, kernel = pick(1, 8), pick(1, 3), pick(1, 2), pick(1, largest)
        before, after = pick(0, 2), pick(0, 2)
        if size + before + after >= (kernel - 1) * dilation + 1:
            return size, stride, before, after, dilation, kernel


def conv2d_cases(count):
    for _ in range(count):
        (h, sh, pt, pb, dh, kh), (w, sw, pl, pr, dw, kw) = axis(), axis()
        groups = rng.choice([1, 1, 1, 2, 3])
        n, c, k, act = pick(1, 3), groups * pick(1, 3), groups * pick(1, 3), pick(0, 3)

        def f(x, weight, bias=None):
            padded = F.pad(picture(x), (pl, pr, pt, pb))
            y = F.conv2d(padded, weight.permute(3, 2, 0, 1).contiguous(), bias, (sh, sw), 0, (dh, dw), groups)
            return back(ACTIVATIONS[act](y))

        shapes = [(n, h, w, c), (kh, kw, c // groups, k)] + ([(k,)] if pick(0, 2) else [])
        lines.append(case("conv2d", f, shapes, (sh, sw, pt, pb, pl, pr, dh, dw, groups, act)))


def conv2d_same_cases(count):
    for _ in range(count):
        n, h, w, c, k, kh, kw = pick(1, 2), pick(1, 7), pick(1, 7), pick(1, 3), pick(1, 3), pick(1, 4), pick(1, 4)
        dh, dw = pick(1, 2), pick(1, 2)

        def f(x, weight):
            return back(F.conv2d(picture(x), weight.permute(3, 2, 0, 1).contiguous(), None, 1, "same", (dh, dw)))

        lines.append(case("conv2d_same", f, [(n, h, w, c), (kh, kw, c, k)], (1, 1, dh, dw)))


def conv2d_same_strided_cases(count):
    """Keras: ceil(size / stride) positions, the odd cell after."""
    def total(size, stride, kernel):
        return max((-(-size // stride) - 1) * stride + kernel - size, 0)

    for _ in range(count):
        n, h, w, c, k, kh, kw = pick(1, 2), pick(1, 7), pick(1, 7), pick(1, 3), pick(1, 3), pick(1, 4), pick(1, 4)
        sh, sw = pick(1, 3), pick(1, 3)
        th, tw = total(h, sh, kh), total(w, sw, kw)

        def f(x, weight):
            padded = F.pad(picture(x), (tw // 2, tw - tw // 2, th // 2, th - th // 2))
            return back(F.conv2d(padded, weight.permute(3, 2, 0, 1).contiguous(), None, (sh, sw)))

        lines.append(case("conv2d_same", f, [(n, h, w, c), (kh, kw, c, k)], (sh, sw, 1, 1)))


def transpose2d_cases(count):
    while count > 0:
        n, h, w, sh, sw, dh, dw = pick(1, 2), pick(1, 4), pick(1, 4), pick(1, 3), pick(1, 3), pick(1, 2), pick(1, 2)
        kh, kw, ph, pw, oh, ow = pick(1, 4), pick(1, 4), pick(0, 1), pick(0, 1), pick(0, sh - 1), pick(0, sw - 1)
        groups, act = rng.choice([1, 1, 2]), pick(0, 3)
        c, k = groups * pick(1, 2), groups * pick(1, 3)
        if (h - 1) * sh - 2 * ph + dh * (kh - 1) + 1 + oh < 1 or (w - 1) * sw - 2 * pw + dw * (kw - 1) + 1 + ow < 1:
            continue
        count -= 1

        def f(x, weight, bias=None):
            y = F.conv_transpose2d(picture(x), weight.permute(3, 2, 0, 1).contiguous(), bias, (sh, sw), (ph, pw), (oh, ow),
                                   groups, (dh, dw))
            return back(ACTIVATIONS[act](y))

        shapes = [(n, h, w, k), (kh, kw, c // groups, k)] + ([(c,)] if pick(0, 1) else [])
        lines.append(case("conv2d_transpose", f, shapes, (sh, sw, ph, ph, pw, pw, dh, dw, groups, act, oh, ow)))


def conv1d_cases(count):
    for _ in range(count):
        length, stride, pad, _, dilation, kernel = axis()
        length += pad + 2
        n, c, k, extra = pick(1, 3), pick(1, 3), pick(1, 3), pick(0, stride - 1)

        def f(x, weight, bias):
            return F.conv1d(x.permute(0, 2, 1).contiguous(), weight.permute(2, 1, 0).contiguous(), bias, stride, pad, dilation).permute(0, 2, 1)

        def t(x, weight, bias):
            y = F.conv_transpose1d(x.permute(0, 2, 1).contiguous(), weight.permute(2, 1, 0).contiguous(), bias, stride, pad, extra, 1, dilation)
            return y.permute(0, 2, 1)

        lines.append(case("conv1d", f, [(n, length, c), (kernel, c, k), (k,)], (stride, pad, dilation)))
        if (length - 1) * stride - 2 * pad + dilation * (kernel - 1) + 1 + extra > 0:
            lines.append(case("conv1d_transpose", t, [(n, length, k), (kernel, c, k), (c,)],
                              (stride, pad, dilation, extra)))


def pool_cases(count):
    while count > 0:
        n, c = pick(1, 2), pick(1, 4)
        h, w, kh, kw, sh, sw = pick(1, 9), pick(1, 9), pick(1, 3), pick(1, 3), pick(1, 3), pick(1, 3)
        ph, pw, dh, dw, ceil, count_pad = pick(0, kh // 2), pick(0, kw // 2), pick(1, 2), pick(1, 2), pick(0, 1), pick(0, 1)

        def largest(x):
            return back(F.max_pool2d(picture(x), (kh, kw), (sh, sw), (ph, pw), (dh, dw), bool(ceil)))

        def average(x):
            return back(F.avg_pool2d(picture(x), (kh, kw), (sh, sw), (ph, pw), bool(ceil), bool(count_pad)))

        if h + 2 * ph < kh or w + 2 * pw < kw:
            continue
        lines.append(case("avg_pool2d", average, [(n, h, w, c)], (kh, kw, sh, sw, ph, ph, pw, pw, 1, 1, ceil, count_pad)))
        count -= 1
        if h >= (kh - 1) * dh + 1 and w >= (kw - 1) * dw + 1:
            lines.append(case("max_pool2d", largest, [(n, h, w, c)], (kh, kw, sh, sw, ph, ph, pw, pw, dh, dw, ceil, 1)))


def unpool_cases(count):
    for _ in range(count):
        n, h, w, c = pick(1, 2), pick(2, 7), pick(2, 7), pick(1, 3)

        def f(x):
            y, index = F.max_pool2d(picture(x), 2, return_indices=True)
            return back(F.max_unpool2d(y * y, index, 2, output_size=(h, w)))

        lines.append(case("max_unpool2d", f, [(n, h, w, c)]))


def size_cases(count):
    for _ in range(count):
        shape = (pick(1, 2), pick(1, 7), pick(1, 7), pick(1, 3))
        to, align = (pick(1, 9), pick(1, 9)), pick(0, 1)
        lines.append(case("adaptive_avg_pool2d", lambda x: back(F.adaptive_avg_pool2d(picture(x), to)), [shape], to))
        lines.append(case("upsample_bilinear", lambda x: back(
            F.interpolate(picture(x), to, mode="bilinear", align_corners=bool(align))), [shape], to + (align,)))
        lines.append(case("upsample_nearest", lambda x: back(F.interpolate(picture(x), to)), [shape], to))
    for _ in range(count // 4):
        n, h, w, c, r = pick(1, 2), pick(1, 3), pick(1, 3), pick(1, 2), pick(1, 3)
        lines.append(case("pixel_shuffle", lambda x: back(F.pixel_shuffle(picture(x), r)), [(n, h, w, c * r * r)], (r,)))
        lines.append(case("pixel_unshuffle", lambda x: back(F.pixel_unshuffle(picture(x), r)),
                          [(n, h * r, w * r, c)], (r,)))
        lines.append(case("global_avg_pool2d", lambda x: x.mean((1, 2)), [(n, h, w, c)]))
        lines.append(case("global_max_pool2d", lambda x: F.adaptive_max_pool2d(picture(x), 1).flatten(1), [(n, h, w, c)]))


def column_cases(count):
    for _ in range(count):
        (h, sh, ph, _, dh, kh), (w, sw, pw, _, dw, kw) = axis(), axis()
        n, c = pick(1, 2), pick(1, 3)
        oh, ow = (h + 2 * ph - (kh - 1) * dh - 1) // sh + 1, (w + 2 * pw - (kw - 1) * dw - 1) // sw + 1
        if oh < 1 or ow < 1:
            continue
        arguments = dict(kernel_size=(kh, kw), dilation=(dh, dw), padding=(ph, pw), stride=(sh, sw))

        def unfold(x):
            y = F.unfold(picture(x), **arguments).reshape(n, c, kh * kw, oh, ow)
            return y.permute(0, 3, 4, 2, 1).reshape(n, oh, ow, kh * kw * c)

        def fold(y):
            y = y.reshape(n, oh, ow, kh * kw, c).permute(0, 4, 3, 1, 2).reshape(n, c * kh * kw, oh * ow)
            return back(F.fold(y, (h, w), **arguments))

        numbers = (kh, kw, sh, sw, ph, ph, pw, pw, dh, dw)
        lines.append(case("im2col", unfold, [(n, h, w, c)], numbers))
        lines.append(case("col2im", fold, [(n, oh, ow, kh * kw * c)], numbers + (h, w)))


conv2d_cases(150)
conv2d_same_cases(30)
conv2d_same_strided_cases(30)
transpose2d_cases(100)
conv1d_cases(50)
pool_cases(100)
unpool_cases(20)
size_cases(60)
column_cases(40)
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "images.txt"), "w") as file:
    file.write("\n".join(lines) + "\n")
