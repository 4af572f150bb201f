"""Writes structure.h beside itself: values and gradients by PyTorch of reductions, shape and index
operations, losses and normalisations, in f64, and how far its f32 is from them. test_golden_structure.c computes the same by tenrec under
the same names. Run: python3 structure.py (PyTorch 1.13)."""
import math
import pathlib

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)
generator = torch.Generator().manual_seed(7)
lines = []


def short(t):
    """Few digits, so that inputs are exact in the file and in f32 alike."""
    return torch.round(t * 64) / 64


def x(*shape):
    return short(torch.randn(*shape, generator=generator))


def p(*shape):
    return short(torch.rand(*shape, generator=generator) * 1.5 + 0.5)


def u(*shape):
    return short(torch.rand(*shape, generator=generator) * 0.875 + 0.0625)


def i(bound, *shape):
    return torch.randint(bound, shape, generator=generator)


def m(*shape):
    return torch.randint(2, shape, generator=generator).to(torch.uint8)


def zeros_in(t):
    """Some values become 0."""
    t = t.clone()
    t.view(-1)[::3] = 0
    return t


def array(t):
    if t.numel() == 0:
        return "NULL"
    text = ", ".join(float_text(v) for v in t.detach().reshape(-1).tolist())
    return "(const double[]){ %s }" % text


def float_text(v):
    v = float(v)
    if math.isnan(v):
        return "NAN"
    if math.isinf(v):
        return "INFINITY" if v > 0 else "-INFINITY"
    return repr(v) if v != int(v) or abs(v) > 1e15 else str(int(v))


def tensor(t):
    kind = {torch.float64: "f", torch.int64: "i", torch.uint8: "b", torch.bool: "b"}[t.dtype]
    dims = ", ".join(map(str, t.shape)) or "0"
    return "{ '%s', %d, { %s }, %s }" % (kind, t.dim(), dims, array(t))


def compute(function, inputs, dtype):
    """The result and the gradients, None where there is none, at that precision."""
    torch.set_default_dtype(dtype)
    inputs = [t.to(dtype).requires_grad_() if t.is_floating_point() else t for t in inputs]
    out = function(*[t.clone() for t in inputs])
    grads = [None] * len(inputs)
    if out.is_floating_point() and out.requires_grad:
        cotangent = 1 + torch.arange(out.numel(), dtype=dtype).reshape(out.shape) / 8
        wanted = [t for t in inputs if t.requires_grad]
        found = iter(torch.autograd.grad(out, wanted, cotangent, allow_unused=True))
        for k, t in enumerate(inputs):
            if t.requires_grad:
                g = next(found)
                grads[k] = g if g is not None else torch.zeros_like(t)
    torch.set_default_dtype(torch.float64)
    return [out] + grads


def error(exact, rough):
    """The largest difference of finite elements."""
    if exact is None or not exact.is_floating_point():
        return "0"
    gap = (exact - rough.double()).abs().nan_to_num(0, 0, 0)
    return "%.2g" % (gap.max() if gap.numel() > 0 else 0)


def case(name, function, *inputs):
    exact, rough = compute(function, inputs, torch.float64), compute(function, inputs, torch.float32)
    lines.append('{ "%s", %d, { %s }, %s, { %s }, { %s } },' % (
        name, len(inputs), ", ".join(tensor(t) for t in inputs), tensor(exact[0]),
        ", ".join("NULL" if g is None else array(g) for g in exact[1:]),
        ", ".join(error(t, u) for t, u in zip(exact, rough))))


def every(name, function, *input_lists):
    for inputs in input_lists:
        case(name, function, *inputs)


# Reductions and scans
shapes = [(2, 3, 4), (3, 1, 5), (1, 7, 2), (4, 6, 3)]
three = [(x(*s),) for s in shapes]
every("sum_02", lambda a: a.sum((0, 2)), *three)
every("mean_1", lambda a: a.mean(1, keepdim=True), *three)
every("prod_all", lambda a: a.prod(), (x(5),), (zeros_in(x(4)),), (x(1),), (zeros_in(x(7)),))
every("prod_1", lambda a: a.prod(1), *three, (zeros_in(x(2, 5, 3)),))
every("amax_02", lambda a: a.amax((0, 2)), *three, (zeros_in(-p(2, 3, 4)),))
every("amin_1", lambda a: a.amin(1, keepdim=True), *three, (zeros_in(p(2, 6, 2)),))
every("max_1", lambda a: a.max(1)[0], *three, (zeros_in(-p(2, 6, 2)),))
every("min_1", lambda a: a.min(1, keepdim=True)[0], *three)
every("max_index", lambda a: a.max(1)[1], *three)
every("argmax_m1", lambda a: a.argmax(-1), *three)
every("argmin_0", lambda a: a.argmin(0, keepdim=True), *three)
every("var_02", lambda a: a.var((0, 2), unbiased=True), *three)
every("var_biased", lambda a: a.var(1, unbiased=False, keepdim=True), *three)
every("std_all", lambda a: a.std(), *three, (torch.ones(3, 1, 1),))
every("norm2_1", lambda a: a.norm(2, 1), *three, (torch.zeros(2, 3, 1),))
every("norm1_all", lambda a: a.norm(1), *three, (zeros_in(x(2, 3, 1)),))
every("norm_inf", lambda a: torch.linalg.vector_norm(a, float("inf"), 1), *three)
every("norm3", lambda a: torch.linalg.vector_norm(a, 3, (1, 2)), *three, (zeros_in(x(2, 3, 2)),))
every("norm_1_5", lambda a: torch.linalg.vector_norm(a, 1.5, (1, 2)), *three, (zeros_in(x(2, 3, 2)),))
every("logsumexp_02", lambda a: a.logsumexp((0, 2)), *three, (x(2, 3, 1) * 400,))
every("any_1", lambda a: a.bool().any(1), (m(3, 2, 2),), (m(4, 1, 2),), (zeros_in(x(3, 2, 1)),))
every("all_1", lambda a: a.bool().all(1), (m(3, 2, 2),), (m(4, 1, 2),), (zeros_in(x(3, 2, 1)),))
every("cumsum_1", lambda a: a.cumsum(1), *three)
every("cumprod_1", lambda a: a.cumprod(1), *three, (zeros_in(x(2, 5, 2)),))
every("sort_1", lambda a: a.sort(dim=1, stable=True)[0], *three, (zeros_in(x(2, 6, 2)),))
every("sort_index", lambda a: a.sort(dim=1, descending=True, stable=True)[1], *three)
every("topk_2", lambda a: a.topk(2, 1)[0], (x(2, 3, 4),), (x(1, 7, 2),))
every("topk_smallest", lambda a: a.topk(2, 1, largest=False)[0], (x(2, 3, 4),), (x(1, 7, 2),))
every("softmax_1", lambda a: a.softmax(1), *three, (x(2, 3, 2) * 300,))
every("softmax_m1", lambda a: a.softmax(-1), *three)
every("log_softmax_1", lambda a: a.log_softmax(1), *three, (x(2, 3, 2) * 300,))
every("log_softmax_m1", lambda a: a.log_softmax(-1), *three)

# Shape
every("squeeze_1", lambda a: a.squeeze(1), (x(2, 1, 3),), (x(1, 1, 1),))
every("squeeze_all", lambda a: a.squeeze(), (x(2, 1, 3),), (x(1, 1, 1),))
every("unsqueeze_1", lambda a: a.permute(2, 0, 1).unsqueeze(1), *three)
every("permuted_reshape", lambda a: a.permute(1, 0, 2).reshape(a.shape[1], -1), *three)
every("repeat_213", lambda a: a.repeat(2, 1, 3), *three)
every("slice_step", lambda a: a[:, 1::2], *three)
every("slice_back", lambda a: a.flip(2)[..., :-1:2], (x(2, 3, 4),), (x(1, 2, 7),))
every("narrow_0", lambda a: a.narrow(0, 1, 2), (x(3, 1, 5),), (x(4, 6, 3),))
every("select_1", lambda a: a.select(1, -1), *three)
every("concat_1", lambda a, b: torch.cat([a, b, a], 1), (x(2, 3, 2), x(2, 1, 2)), (x(1, 1, 1), x(1, 4, 1)))
every("stack_1", lambda a, b: torch.stack([a, b], 1), (x(2, 3), x(2, 3)), (x(3, 1), x(3, 1)))
every("split_last", lambda a: a.split([1, 2, a.shape[1] - 3], 1)[2], (x(2, 5),), (x(1, 4),))
every("chunk_first", lambda a: a.chunk(2, 1)[0], (x(2, 5),), (x(1, 4),))
every("pad_constant", lambda a: F.pad(a, (1, 2, 0, 3, 2, 0), value=1.5), *three)
every("pad_negative", lambda a: F.pad(a, (-1, 2, 3, -1), value=-0.5), (x(3, 4),), (x(2, 2),))
every("pad_reflect", lambda a: F.pad(a, (2, 1), mode="reflect"), (x(2, 3, 4),), (x(1, 1, 3),))
every("pad_replicate", lambda a: F.pad(a, (3, 2), mode="replicate"), (x(2, 3, 4),), (x(1, 1, 1),))
every("pad_circular", lambda a: F.pad(a, (2, 3), mode="circular"), (x(2, 3, 4),), (x(1, 1, 3),))
every("flip_02", lambda a: a.flip((0, 2)), *three)
every("roll_1", lambda a: a.roll(2, 1), *three)
every("roll_back", lambda a: a.roll(-3, 2), *three)
every("tril_0", lambda a: a.tril(), *three)
every("tril_m1", lambda a: a.tril(-1), *three)
every("triu_1", lambda a: a.triu(1), *three)
every("diagonal_0", lambda a: a.diagonal(0, -2, -1), *three)
every("diagonal_1", lambda a: a.diagonal(1, -2, -1), *three)
every("diagonal_m1", lambda a: a.diagonal(-1, -2, -1), *three)

# Index
every("gather_0", lambda a, n: a.gather(0, n), (x(4, 3), i(4, 2, 3)), (x(4, 3), i(4, 6, 2)), (x(1, 5), i(1, 3, 4)))
every("gather_1", lambda a, n: a.gather(1, n), (x(4, 3), i(3, 4, 7)), (x(2, 5), i(5, 1, 2)))
every("scatter_add_0", lambda a, n, b: a.scatter_add(0, n, b),
      (x(4, 3), i(4, 2, 3), x(2, 3)), (x(4, 3), i(4, 6, 2), x(6, 2)), (x(2, 5), i(2, 3, 4), x(3, 4)))
every("scatter_1", lambda a, n, b: a.scatter(1, n, b),
      (x(2, 4), torch.tensor([[1, 0], [3, 2]]), x(2, 2)), (x(3, 3), torch.tensor([[2]]), x(1, 1)))
every("index_select_1", lambda a, n: a.index_select(1, n), (x(2, 3, 2), i(3, 5)), (x(1, 4, 1), i(4, 2)))
every("take_along_axis", lambda a, n: torch.take_along_dim(a, n, 1), (x(2, 4, 3), i(4, 2, 2, 1)), (x(1, 3), i(3, 4, 2)))
every("embedding", lambda a, n: F.embedding(n, a), (x(5, 3), i(5, 2, 4)), (x(1, 2), i(1, 3)), (x(6, 1), i(6, 9)))
every("masked_fill", lambda a, n: a.masked_fill(n.bool(), -2.5), (x(2, 3), m(2, 3)), (x(4, 2, 3), m(2, 1)))
every("masked_select", lambda a, n: a.masked_select(n.bool()), (x(2, 3), m(2, 3)), (x(4, 2, 3), m(2, 1)))
every("one_hot", lambda n: F.one_hot(n, 5).double(), (i(5, 2, 3),), (i(5, 1),))

# Losses
pairs = [(x(3, 4), x(3, 4)), (x(2, 1, 5), x(2, 1, 5)), (x(1), x(1)), (x(6) * 4, x(6) * 4)]
for kind in ("none", "mean", "sum"):
    every("mse_" + kind, lambda a, t: F.mse_loss(a, t, reduction=kind), *pairs)
every("l1", lambda a, t: F.l1_loss(a, t), *pairs)
every("huber", lambda a, t: F.huber_loss(a, t, delta=0.75), *pairs)
every("smooth_l1", lambda a, t: F.smooth_l1_loss(a, t, beta=0.5, reduction="sum"), *pairs)
ends = torch.tensor([0.0, 1.0, 0.5]), torch.tensor([0.0, 1.0, 0.25])
every("bce", lambda a, t: F.binary_cross_entropy(a, t.detach(), reduction="none"), (u(2, 3), u(2, 3)), (u(1), u(1)), ends)
far = torch.tensor([100.0, -100.0, 100.0, -100.0, 0.0, 20.0]), torch.tensor([0.0, 0.0, 1.0, 1.0, 0.5, 1.0])
logits = [(x(2, 3), u(2, 3)), (x(4) * 20, u(4)), far]
every("bce_with_logits", lambda a, t: F.binary_cross_entropy_with_logits(a, t, reduction="none"), *logits)
every("bce_weighted", lambda a, t, w: F.binary_cross_entropy_with_logits(a, t, pos_weight=w.detach(), reduction="none"),
      (x(2, 3), u(2, 3), p(3)), (*far, p(6)), (x(2, 3), u(2, 3), p(1)))
every("kl_div", lambda a, t: F.kl_div(a, t, reduction="none"), (x(2, 3), u(2, 3)))
every("kl_div_zeros", lambda a, t: F.kl_div(a, t.detach(), reduction="none"), (x(5), zeros_in(u(5))))
every("gaussian_nll", lambda a, t, v: F.gaussian_nll_loss(a, t, v, reduction="none"),
      (x(2, 3), x(2, 3), p(2, 3)), (x(4), x(4), torch.tensor([1e-9, 1e-3, 1.0, 1e3])))
every("gaussian_nll_full", lambda a, t, v: F.gaussian_nll_loss(a, t, v, full=True), (x(2, 3), x(2, 3), p(2, 3)))
counts = torch.tensor([0.0, 1.0, 2.0, 7.0, 1.5])
every("poisson_nll", lambda a, t: F.poisson_nll_loss(a, t.detach(), reduction="none"), (x(5), counts), (x(2, 3), p(2, 3)))
every("poisson_nll_rate", lambda a, t: F.poisson_nll_loss(a, t.detach(), log_input=False, full=True, reduction="none"),
      (p(5), counts), (p(2, 3), p(2, 3)))
every("hinge", lambda a, t: torch.relu(1 - a * t.detach()).mean(), (x(6), torch.sign(x(6))))


def last(function):
    """Class axis from the last place to PyTorch's second."""
    return lambda a, t, *rest: function(a.movedim(-1, 1) if a.dim() > 1 else a, t, *rest)


classes = [(x(4, 3), i(3, 4)), (x(2, 2, 5), i(5, 2, 2)), (x(3), torch.tensor(1)), (x(2, 1) * 50, i(1, 2)), (x(5, 4) * 60, i(4, 5))]
weighted = [(a, t, p(a.shape[-1])) for a, t in classes if t.dim() > 0]
for kind in ("none", "mean", "sum"):
    every("nll_" + kind, last(lambda a, t: F.nll_loss(a, t, reduction=kind)), *classes[:2], *classes[3:])
    every("cross_entropy_" + kind, last(lambda a, t: F.cross_entropy(a, t, reduction=kind)), *classes)
    every("cross_entropy_smooth_" + kind,
          last(lambda a, t: F.cross_entropy(a, t, label_smoothing=0.25, reduction=kind)), *classes)
    every("cross_entropy_all_" + kind,
          last(lambda a, t, w: F.cross_entropy(a, t, w.detach(), label_smoothing=0.125, ignore_index=1, reduction=kind)),
          *weighted)
every("nll_weighted", last(lambda a, t, w: F.nll_loss(a, t, w.detach(), ignore_index=2)), *weighted[:2])
every("cosine", lambda a, b: F.cosine_similarity(a, b, 1), (x(2, 3), x(2, 3)), (x(2, 1, 2), x(2, 1, 2)), (x(2, 5, 3), x(2, 5, 3)))
every("triplet", lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=0.5, reduction="none"), (x(4, 3), x(4, 3), x(4, 3)))
every("info_nce", lambda a, b: F.cross_entropy(F.normalize(a) @ F.normalize(b).T / 0.125, torch.arange(a.shape[0])),
      (x(4, 3), x(4, 3)), (x(1, 2), x(1, 2)))

# Normalisation
every("layer_norm", lambda a, s, b: F.layer_norm(a, a.shape[-1:], s, b, 1e-5), (x(2, 3, 4), p(4), x(4)), (x(3, 7), p(7), x(7)))
every("layer_norm_2", lambda a: F.layer_norm(a, a.shape[-2:], torch.ones(a.shape[-2:]), None, 1e-3), *three)
every("group_norm", lambda a, s, b: F.group_norm(a.movedim(-1, 1), 2, s, b, 1e-5).movedim(1, -1),
      (x(2, 3, 2, 4), p(4), x(4)), (x(3, 6), p(6), x(6)))
every("instance_norm", lambda a: F.instance_norm(a.movedim(-1, 1), eps=1e-5).movedim(1, -1), (x(2, 3, 2, 4),), (x(1, 5, 2),))
every("rms_norm", lambda a, s: a / (a.square().mean(-1, keepdim=True) + 1e-5).sqrt() * s, (x(2, 3), p(3)), (x(4, 1), p(1)))
every("batch_norm", lambda a, s, b: F.batch_norm(a.movedim(-1, 1), None, None, s, b, True, eps=1e-5).movedim(1, -1),
      (x(2, 3, 2, 4), p(4), x(4)), (x(5, 3), p(3), x(3)))
every("batch_norm_eval", lambda a, s, b, v: F.batch_norm(a, b.detach(), v.detach(), s, b, False, eps=1e-5),
      (x(5, 3), p(3), x(3), p(3)))

# Distributions
D = torch.distributions
every("normal_density", lambda a, mu, lv: D.Normal(mu, (lv / 2).exp()).log_prob(a), (x(2, 3), x(2, 3), x(2, 3)), (x(3), x(2, 1), x(3)))
every("normal_kl", lambda a, b, c, d: D.kl_divergence(D.Normal(a, (b / 2).exp()), D.Normal(c, (d / 2).exp())),
      (x(2, 3), x(2, 3), x(2, 3), x(2, 3)))
every("standard_kl", lambda a, b: D.kl_divergence(D.Normal(a, (b / 2).exp()), D.Normal(0.0, 1.0)).sum(-1),
      (x(2, 3), x(2, 3)), (x(4, 1), x(4, 1)))
every("bernoulli_density", lambda a, l: D.Bernoulli(logits=l, validate_args=False).log_prob(a), (u(2, 3), x(2, 3)))
every("bernoulli_kl", lambda a, b: D.kl_divergence(D.Bernoulli(logits=a), D.Bernoulli(logits=b)), (x(2, 3), x(2, 3)))
every("categorical_density", lambda l, n: D.Categorical(logits=l).log_prob(n), (x(2, 3), i(3, 2)))
every("categorical_kl", lambda a, b: D.kl_divergence(D.Categorical(logits=a), D.Categorical(logits=b)), (x(2, 3), x(2, 3)))
every("laplace_density", lambda a, mu, s: D.Laplace(mu, s.exp()).log_prob(a), (x(2, 3), x(2, 3), x(2, 3)))
every("laplace_kl", lambda a, b, c, d: D.kl_divergence(D.Laplace(a, b.exp()), D.Laplace(c, d.exp())),
      (x(2, 3), x(2, 3), x(2, 3), x(2, 3)))
every("logistic_density", lambda a, mu, s: D.TransformedDistribution(D.Uniform(0.0, 1.0), [
    D.SigmoidTransform().inv, D.AffineTransform(mu, s.exp())]).log_prob(a), (x(2, 3), x(2, 3), x(2, 3)))

target = pathlib.Path(__file__).with_name("structure.h")
target.write_text("/* Made by structure.py: name, inputs, result, gradients of sum_k (1 + k / 8) result_k, errors in f32\n"
                  " * of result and gradients. */\n"
                  + "\n".join(lines) + "\n")
print(len(lines), "cases")
