"""What the generators of golden data share. A case is one line of text:

    NAME[:TEXT] [SHAPE]... | INTEGER... | VALUE ERROR...

Inputs are not stored: element i of input number s is noise(i, s), the same here and in golden.h.
Each VALUE is the sum of a tensor's elements times noise(i, 100), first of the result, then of the
gradient of each input for the cotangent noise(i, 200); ERROR is the largest difference between
PyTorch's f32 and f64 elements of that tensor. Layouts are tenrec's: [N, H, W, C], [KH, KW, C, K].
"""
import numpy as np
import torch


def noise(shape, stream):
    """A hash of the element's number, in [-1/2, 1/2)."""
    count = int(np.prod(shape, dtype=np.int64))
    mask = np.uint64(0xFFFFFFFF)
    z = np.arange(count, dtype=np.uint64) * np.uint64(0x9E3779B1)
    z = (z + np.uint64((stream * 0x85EBCA77 + 0x165667B1) & 0xFFFFFFFF)) & mask
    z ^= z >> np.uint64(15)
    z = (z * np.uint64(0x2C1B3C6D)) & mask
    z ^= z >> np.uint64(12)
    return (z.astype(np.float64) / 2.0**32 - 0.5).reshape(shape)


def run(function, shapes, dtype):
    inputs = [torch.tensor(noise(s, k), dtype=dtype, requires_grad=True) for k, s in enumerate(shapes)]
    result = function(*inputs)
    cotangent = torch.tensor(noise(tuple(result.shape), 200), dtype=dtype)
    gradients = torch.autograd.grad(result, inputs, cotangent, allow_unused=True)
    tensors = [result] + [torch.zeros_like(x) if g is None else g for g, x in zip(gradients, inputs)]
    return [t.detach().contiguous().double().numpy() for t in tensors]


def case(name, function, shapes, numbers=()):
    exact, rough = run(function, shapes, torch.float64), run(function, shapes, torch.float32)
    words = [name] + ["[%s]" % ",".join(map(str, s)) for s in shapes] + ["|"]
    words += [str(int(n)) for n in numbers] + ["|"]
    for t, u in zip(exact, rough):
        words += ["%.13g" % np.sum(t * noise(t.shape, 100)), "%.2g" % np.max(np.abs(t - u), initial=0)]
    return " ".join(words)
