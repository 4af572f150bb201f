"""Writes linalg.txt: dense algebra as PyTorch computes it. See golden.py."""
import os
import random

import torch
import torch.nn.functional as F

from golden import case

rng = random.Random(4)
lines = []


def pick(low, high):
    return rng.randint(low, high)


def conditioned(x):
    """x + 2 I, far from singular."""
    return x + 2 * torch.eye(x.shape[-1], dtype=x.dtype)


def definite(x):
    return x @ x.transpose(-1, -2) + torch.eye(x.shape[-1], dtype=x.dtype)


for _ in range(25):
    n, m, stack = pick(1, 8), pick(1, 4), [(), (2,), (2, 3)][pick(0, 2)]
    upper = pick(0, 1)
    lines.append(case("cholesky", lambda x: torch.linalg.cholesky(definite(x)), [stack + (n, n)]))
    lines.append(case("inverse", lambda x: torch.linalg.inv(conditioned(x)), [stack + (n, n)]))
    lines.append(case("logdet", lambda x: torch.linalg.slogdet(conditioned(x) * 1.5)[1], [stack + (n, n)]))
    lines.append(case("solve_triangular",
                      lambda a, b: torch.linalg.solve_triangular(conditioned(a), b, upper=bool(upper)),
                      [stack + (n, n), stack + (n, m)], (upper,)))
    lines.append(case("eigenvalues", lambda x: torch.linalg.eigvalsh(definite(x)).detach() + 0 * x.sum(),
                      [stack + (n, n)]))
    lines.append(case("outer", torch.outer, [(n,), (m,)]))
    i, j, k = pick(1, 4), pick(1, 4), pick(1, 4)
    lines.append(case("bilinear", lambda x, y, w, b: F.bilinear(x, y, w.permute(2, 0, 1), b),
                      [stack + (i,), stack + (j,), (i, j, k), (k,)]))

EQUATIONS = ["ij,jk->ik", "ij,jk", "ij,kj->ik", "nij,njk->nik", "i,i->", "i,j->ij", "ij,ij->", "ij,ij->ij",
             "ijk,k->ij", "ijk,jl->ikl", "abc,cde->abde", "abc,cd->da", "bhqd,bhkd->bhqk", "ij,kl->ljki", "ijk,k->i",
             "ij,k->", ",ij->ji", "ba,bc", "Ab,bC->AC"]
SINGLE = ["ij->ji", "ijk->ik", "ij->", "ba"]
for equation in EQUATIONS + SINGLE:
    for _ in range(3):
        size = {c: pick(1, 4) for c in equation if c.isalpha()}
        operands = equation.split("->")[0].split(",")
        lines.append(case("einsum:" + equation, lambda *x: torch.einsum(equation, *x),
                          [tuple(size[c] for c in o) for o in operands]))

with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "linalg.txt"), "w") as file:
    file.write("\n".join(lines) + "\n")
