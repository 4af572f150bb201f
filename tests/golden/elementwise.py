"""Writes elementwise.txt: elementwise operations, comparisons, activations, reductions, losses,
normalisations and densities as PyTorch computes them. See golden.py.

The numbers of a case are QUANTUM, then EXPONENT SHIFT of each input, then PARAMETER... Input number s
is noise(i, s) 2^EXPONENT + SHIFT / 8, exact in f32 up to one rounding; where QUANTUM is not 0 it is
rounded to quarters, so that ties and kinks occur, and keeps the gradient. Parameters that are not
integers are given in eighths. test_golden_elementwise.c computes the same under the same names.
"""
import os

import torch
import torch.nn.functional as F

from golden import case

lines = []
ONE = [[()], [(1,)], [(3, 5)], [(2, 3, 7)], [(0, 4)]]
TWO = [[(), ()], [(3, 4), (3, 4)], [(5,), (2, 3, 5)], [(4, 1), (1, 3)], [(2, 1, 3), (4, 1)], [(1,), (0, 6)]]
THREE = [[(3, 4)] * 3, [(4,), (2, 1, 4), (3, 1)], [(2, 5), (), (5,)], [(1, 3), (2, 1), (2, 3)]]
SAME = [[(7,)] * 2, [(3, 5)] * 2, [(2, 3, 4)] * 2, [(1, 1)] * 2]
WIDE = (2, 0)  # about -2 .. 2
FAR = (5, 0)  # about -16 .. 16
UNIT = (0, 4)  # 0 .. 1
POSITIVE = (2, 20)  # 0.5 .. 4.5


def prepared(x, exponent, shift, quantum):
    y = x * 2.0**exponent + shift / 8
    return torch.round(y * 4).div(4).detach() + (y - y.detach()) if quantum else y


def every(name, function, shapes, domains, quanta=(0,), parameters=()):
    """One case for each list of shapes, each choice of domains (one per input) and each quantum."""
    for domain in domains:
        for quantum in quanta:
            for s in shapes:
                d = [domain] * len(s) if isinstance(domain[0], int) else domain
                lines.append(case(
                    name, lambda *x: function(*(prepared(v, *d[k], quantum) for k, v in enumerate(x))), s,
                    [quantum] + [n for pair in d[:len(s)] for n in pair] + list(parameters)))


def truth(function):
    """A comparison as 0 and 1, with the gradient 0."""
    return lambda *x: function(*x).to(x[0].dtype) + sum(0 * v.sum() for v in x)


# One argument
for name in ("neg", "abs", "sign", "square", "floor", "ceil", "round", "trunc"):
    every(name, getattr(torch, name), ONE, [WIDE, FAR], (0, 1))
for name in ("sqrt", "rsqrt", "reciprocal", "log", "log2"):
    every(name, getattr(torch, name), ONE, [POSITIVE, (6, 260)])
for name in ("exp", "expm1", "exp2", "sin", "cos", "atan", "sinh", "cosh", "tanh", "erf", "erfc"):
    every(name, getattr(torch, name), ONE, [WIDE, (3, 0)])
every("log1p", torch.log1p, ONE, [(0, 0), POSITIVE])
every("tan", torch.tan, ONE, [(1, 0)])
every("asin", torch.asin, ONE, [(0, 0), (0, 3)])
every("acos", torch.acos, ONE, [(0, 0), (0, -3)])
every("lgamma", torch.lgamma, ONE, [POSITIVE, (5, 160)])


def line(x, value, slope):
    """The value with that gradient."""
    return value.detach() + (x - x.detach()) * slope.detach()


# PyTorch's trigamma, polygamma(1, x), is off by 1e-9; its zeta(2, x), the same function, is not.
every("digamma", lambda x: line(x, torch.digamma(x), torch.special.zeta(2, x)), ONE, [POSITIVE, (5, 160)])
every("polygamma", lambda x: line(x, torch.special.zeta(2, x), torch.polygamma(2, x)), ONE[:3], [POSITIVE],
      parameters=(1,))
every("polygamma", lambda x: torch.polygamma(2, x), ONE[:3], [POSITIVE], parameters=(2,))
every("scale", lambda x: x * -1.75, ONE, [WIDE], parameters=(-14,))
every("add_scalar", lambda x: x + 2.5, ONE, [WIDE], parameters=(20,))
for p in (-2, 0.5, 1, 2.5, 3):
    every("pow_scalar", lambda x: torch.pow(x, p), ONE[:4], [POSITIVE], parameters=(p * 8,))

# Activations
for name in ("sigmoid", "tanh", "relu", "selu", "silu", "mish", "softplus", "logsigmoid", "softsign", "relu6", "gelu",
             "hardsigmoid", "hardswish"):
    # PyTorch's hardsigmoid keeps the slope 1/6 in f32, also for f64
    function = {"tanh": torch.tanh, "sigmoid": torch.sigmoid, "hardsigmoid": lambda x: F.relu6(x + 3) / 6
                }.get(name) or getattr(F, name)
    every(name, function, ONE[2:4], [WIDE, FAR], (0, 1))
every("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), ONE[2:4], [WIDE, FAR], (0, 1))
for p in (0.125, 0.25):
    every("leaky_relu", lambda x: F.leaky_relu(x, p), ONE[2:4], [WIDE], (0, 1), (p * 8,))
for p in (0.5, 1, 1.5):
    every("elu", lambda x: F.elu(x, p), ONE[2:4], [WIDE], (0, 1), (p * 8,))
    every("celu", lambda x: F.celu(x, p), ONE[2:4], [WIDE], (0, 1), (p * 8,))
for low, high in ((-1, 1), (-0.5, 2), (0, 0.25)):
    every("clamp", lambda x: torch.clamp(x, low, high), ONE[2:4], [WIDE], (0, 1), (low * 8, high * 8))
    every("hardtanh", lambda x: F.hardtanh(x, low, high), ONE[2:4], [WIDE], (0, 1), (low * 8, high * 8))

# Two and three arguments
for name in ("add", "sub", "mul", "maximum", "minimum"):
    every(name, getattr(torch, name), TWO, [WIDE], (0, 1))
every("div", torch.div, TWO, [(WIDE, POSITIVE), (WIDE, (0, -16))])
every("pow", torch.pow, TWO, [(POSITIVE, WIDE), ((0, 12), FAR)])
every("atan2", torch.atan2, TWO, [WIDE, (FAR, (0, 0))])
every("hypot", torch.hypot, TWO, [WIDE])
every("prelu", lambda x, s: torch.where(x > 0, x, s * x), TWO, [WIDE], (0, 1))
for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
    every(name, truth({"equal": torch.eq}.get(name) or getattr(torch, name)), TWO[:5], [WIDE], (1,))
for name in ("logical_and", "logical_or", "logical_xor"):
    every(name, truth(getattr(torch, name)), TWO[:4], [(1, 0)], (1,))
every("logical_not", truth(torch.logical_not), ONE, [(1, 0)], (1,))
every("where", lambda a, b, c: torch.where(c > 0, a, b), THREE, [WIDE], (0, 1))
every("masked_fill", lambda a, b: a.masked_fill(b > 0, -2.5), [[(3, 4)] * 2, [(2, 5), (5,)], [(2, 3, 2), (3, 1)]], [WIDE])
every("lerp", torch.lerp, THREE, [(WIDE, WIDE, UNIT), WIDE])

# Along axes
for axis in (0, 1, -1):
    for shape in ((4, 9), (3, 2, 17)):
        for name, function in (("softmax", lambda x: x.softmax(axis)), ("log_softmax", lambda x: x.log_softmax(axis)),
                               ("logsumexp", lambda x: x.logsumexp(axis)), ("cumsum", lambda x: x.cumsum(axis)),
                               ("cumprod", lambda x: x.cumprod(axis)), ("prod", lambda x: x.prod(axis)),
                               ("var", lambda x: x.var(axis)), ("std", lambda x: x.std(axis)),
                               ("sum", lambda x: x.sum(axis)), ("mean", lambda x: x.mean(axis)),
                               ("norm", lambda x: x.norm(2, axis)), ("amax", lambda x: x.amax(axis))):
            every(name, function, [[shape]], [WIDE], (0,), (axis,))

# Losses
def reduced(loss, kind):
    return loss if kind == "none" else getattr(loss, kind)()


for r, kind in enumerate(("none", "mean", "sum")):
    every("mse", lambda x, t: F.mse_loss(x, t, reduction=kind), SAME, [WIDE], parameters=(r,))
    every("l1", lambda x, t: F.l1_loss(x, t, reduction=kind), SAME, [WIDE], (0, 1), (r,))
    every("huber", lambda x, t: F.huber_loss(x, t, delta=0.75, reduction=kind), SAME, [WIDE], (0, 1), (r, 6))
    every("smooth_l1", lambda x, t: F.smooth_l1_loss(x, t, beta=0.5, reduction=kind), SAME, [WIDE], (0,), (r, 4))
    every("bce", lambda x, t: F.binary_cross_entropy(x, t.detach(), reduction=kind), SAME, [UNIT], parameters=(r,))
    every("bce_with_logits", lambda x, t: F.binary_cross_entropy_with_logits(x, t, reduction=kind), SAME,
          [(WIDE, UNIT), (FAR, UNIT)], parameters=(r,))
    every("bce_weighted",
          lambda x, t, w: F.binary_cross_entropy_with_logits(x, t, pos_weight=w.detach(), reduction=kind),
          [[(3, 4), (3, 4), (4,)], [(2, 3, 2)] * 3], [(WIDE, UNIT, POSITIVE)], parameters=(r,))
    every("kl_div", lambda x, t: F.kl_div(x, t, reduction=kind), SAME, [((1, -8), UNIT)], parameters=(r,))
    every("gaussian_nll", lambda x, t, v: F.gaussian_nll_loss(x, t, v, full=True, reduction=kind),
          [[(7,)] * 3, [(3, 5)] * 3], [(WIDE, WIDE, POSITIVE)], parameters=(r,))
    every("poisson_nll", lambda x, t: F.poisson_nll_loss(x, t.detach(), reduction=kind), SAME,
          [(WIDE, POSITIVE)], parameters=(r,))
    every("hinge", lambda x, t: reduced(torch.relu(1 - x * t), kind),
          SAME, [WIDE], parameters=(r,))
    every("triplet", lambda a, b, c: F.triplet_margin_loss(a, b, c, margin=0.5, reduction=kind),
          [[(4, 3)] * 3, [(2, 9)] * 3], [WIDE], parameters=(r,))
for axis in (0, 1):
    every("cosine", lambda a, b: F.cosine_similarity(a, b, axis), [[(3, 5)] * 2, [(4, 2, 6)] * 2], [WIDE], (0,), (axis,))

# Normalisations; channels last
every("layer_norm", lambda x, s, b: F.layer_norm(x, x.shape[-1:], s, b, 1e-5),
      [[(3, 8), (8,), (8,)], [(2, 3, 33), (33,), (33,)], [(1, 2), (2,), (2,)]], [WIDE, (FAR, WIDE, WIDE)])
every("rms_norm", lambda x, s: x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt() * s,
      [[(3, 8), (8,)], [(2, 3, 33), (33,)], [(4, 1), (1,)]], [WIDE])
for groups in (1, 2, 6):
    every("group_norm", lambda x, s, b: F.group_norm(x.movedim(-1, 1), groups, s, b, 1e-5).movedim(1, -1),
          [[(2, 4, 3, 6), (6,), (6,)], [(3, 12), (12,), (12,)] if groups < 6 else [(1, 5, 6), (6,), (6,)]], [WIDE],
          (0,), (groups,))
every("instance_norm", lambda x, s, b: F.instance_norm(x.movedim(-1, 1), weight=s, bias=b, eps=1e-5).movedim(1, -1),
      [[(2, 4, 3, 5), (5,), (5,)], [(3, 7, 2), (2,), (2,)]], [WIDE])
every("batch_norm", lambda x, s, b: F.batch_norm(x.movedim(-1, 1), None, None, s, b, True, eps=1e-5).movedim(1, -1),
      [[(2, 4, 3, 5), (5,), (5,)], [(17, 3), (3,), (3,)], [(2, 3, 1), (1,), (1,)]], [WIDE])

# Distributions
D = torch.distributions
PAIR = [[(7,)] * 2, [(3, 5)] * 2, [(3, 4), (2, 3, 4)]]
FOUR = [[(7,)] * 4, [(3, 5)] * 4, [(4,), (2, 1, 4), (3, 1), ()]]


def sigma(logarithm):
    return (logarithm / 2).exp()


every("normal_density", lambda x, m, v: D.Normal(m, sigma(v)).log_prob(x), THREE, [WIDE])
every("normal_kl", lambda a, b, c, d: D.kl_divergence(D.Normal(a, sigma(b)), D.Normal(c, sigma(d))), FOUR, [WIDE])
every("standard_kl", lambda m, v: D.kl_divergence(D.Normal(m, sigma(v)), D.Normal(0.0, 1.0)).sum(-1), PAIR[:2], [WIDE])
every("bernoulli_density", lambda x, l: D.Bernoulli(logits=l, validate_args=False).log_prob(x), PAIR, [(UNIT, WIDE)])
every("bernoulli_kl", lambda a, b: D.kl_divergence(D.Bernoulli(logits=a), D.Bernoulli(logits=b)), PAIR[:2], [WIDE])
every("categorical_kl", lambda a, b: D.kl_divergence(D.Categorical(logits=a), D.Categorical(logits=b)),
      [[(3, 5)] * 2, [(2, 3, 9)] * 2, [(4,)] * 2], [WIDE])
every("laplace_density", lambda x, m, s: D.Laplace(m, s.exp()).log_prob(x), THREE, [WIDE])
every("laplace_kl", lambda a, b, c, d: D.kl_divergence(D.Laplace(a, b.exp()), D.Laplace(c, d.exp())), FOUR, [WIDE])


def logistic(x, m, s):
    """PyTorch has it only as a chain of transforms, one of which bounds its result: off by 1e-9."""
    z = (x - m) * (-s).exp()
    return -z - s - 2 * torch.logaddexp(torch.zeros_like(z), -z)


every("logistic_density", logistic, THREE, [WIDE])

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "elementwise.txt"), "w") as file:
    file.write("\n".join(lines) + "\n")
