#!/usr/bin/env python3
"""The cases of `tenrec bench` in PyTorch, under the same names.

    pytorch.py CASE... [--seconds S]      one JSON object a line
    pytorch.py --serve [--seconds S]      the same for each case named on standard input

Same architectures, batches, losses, optimiser (Adam, step 1e-3), data in memory, and a full step:
gradients cleared, forward (noise included), backward, Adam. Of Adam with and without foreach, and
of channels-last and channels-first, the fastest is reported. Threads and instruction set come
from the environment; bench/compare sets them.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

SIDE, STRETCHES = 28, 5


def mlp(sizes, last, between=nn.ReLU):
    """Linear layers with an activation between them; `last` after the last one."""
    layers = []
    for i in range(len(sizes) - 1):
        layers += [nn.Linear(sizes[i], sizes[i + 1]), between()]
    layers[-1:] = [last] if last is not None else []
    return nn.Sequential(*layers)


# --- Models: forward gives the raw output, loss is what is minimised ------------------------------


class Dense(nn.Module):
    image = False

    def __init__(self, sizes, between=nn.ReLU):
        super().__init__()
        self.net = mlp(sizes + sizes[-2::-1], None, between)

    def loss(self, x):
        return F.binary_cross_entropy_with_logits(self.net(x), x)

    def infer(self, x):
        return torch.sigmoid(self.net(x))


class Deep(Dense):
    def __init__(self):
        super().__init__([784, 500, 300, 150, 100, 64])

    def loss(self, x):
        return F.mse_loss(torch.relu(self.net(x)), x)

    def infer(self, x):
        return torch.relu(self.net(x))


class Denoising(Dense):
    def __init__(self):
        super().__init__([784, 128, 64, 32])

    def loss(self, x):
        noisy = torch.clamp(x + 0.5 * torch.randn_like(x), 0, 1)
        return F.binary_cross_entropy_with_logits(self.net(noisy), x)


class Sparse(nn.Module):
    image, rho, weight = False, 0.05, 1e-3

    def __init__(self):
        super().__init__()
        self.encoder, self.decoder = nn.Linear(784, 1024), nn.Linear(1024, 784)
        entropy = self.rho * math.log(self.rho) + (1 - self.rho) * math.log(1 - self.rho)
        self.entropy = -1024 * entropy
        self.target = torch.full((1024,), self.rho)

    def loss(self, x):
        code = torch.sigmoid(self.encoder(x))
        cross = F.binary_cross_entropy(code.mean(0), self.target, reduction="sum")
        distance = F.binary_cross_entropy_with_logits(self.decoder(code), x)
        return distance + self.weight * (cross - self.entropy)

    def infer(self, x):
        return torch.sigmoid(self.decoder(torch.sigmoid(self.encoder(x))))


class Vae(nn.Module):
    image = False

    def __init__(self):
        super().__init__()
        self.body = mlp([784, 400], nn.ReLU())
        self.mean, self.log_variance = nn.Linear(400, 20), nn.Linear(400, 20)
        self.decoder = mlp([20, 400, 784], None)

    def loss(self, x):
        features = self.body(x)
        mu, log_variance = self.mean(features), self.log_variance(features)
        z = mu + torch.exp(0.5 * log_variance) * torch.randn_like(mu)
        raw = self.decoder(z)
        distance = F.binary_cross_entropy_with_logits(raw, x, reduction="sum") / len(x)
        kl = 0.5 * (mu * mu + log_variance.exp() - log_variance - 1).sum(1).mean()
        return distance + kl

    def infer(self, x):
        return torch.sigmoid(self.decoder(self.mean(self.body(x))))


class Conv(nn.Module):
    image = True

    def __init__(self):
        super().__init__()

        def conv(a, b):
            return nn.Conv2d(a, b, 3, padding=1)

        self.net = nn.Sequential(
            conv(1, 32), nn.ReLU(), nn.MaxPool2d(2), conv(32, 64), nn.ReLU(), nn.MaxPool2d(2),
            conv(64, 128), nn.ReLU(),
            conv(128, 64), nn.ReLU(), nn.Upsample(scale_factor=2),
            conv(64, 32), nn.ReLU(), nn.Upsample(scale_factor=2), conv(32, 1))

    def loss(self, x):
        return F.binary_cross_entropy_with_logits(self.net(x), x)

    def infer(self, x):
        return torch.sigmoid(self.net(x))


class ConvTranspose(Conv):
    def __init__(self):
        nn.Module.__init__(self)
        up = dict(stride=2, padding=1, output_padding=1)
        self.net = nn.Sequential(
            nn.Conv2d(1, 16, 3, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 3, **up), nn.ReLU(), nn.ConvTranspose2d(16, 1, 3, **up))


MODELS = {
    "deep": Deep,
    "stacked": lambda: Dense([784, 256, 128, 64], nn.Sigmoid),  # as a whole, after pretraining
    "denoising": Denoising,
    "sparse-kl": Sparse,
    "vae": Vae,
    "conv": Conv,
    "conv-transpose": ConvTranspose,
}

# --- Steps ------------------------------------------------------------------------------------------


def make_model(name, batch, channels_last):
    torch.manual_seed(7)
    model = MODELS[name]()
    x = torch.rand(batch, 1, SIDE, SIDE) if model.image else torch.rand(batch, SIDE * SIDE)
    if channels_last:
        model = model.to(memory_format=torch.channels_last)
        x = x.to(memory_format=torch.channels_last)
    return model, x


def train_step(name, batch, channels_last, foreach):
    model, x = make_model(name, batch, channels_last)
    adam = torch.optim.Adam(model.parameters(), lr=1e-3, foreach=foreach)

    def step():
        adam.zero_grad(set_to_none=True)
        model.loss(x).backward()
        adam.step()

    return step


def infer_step(name, batch, channels_last):
    model, x = make_model(name, batch, channels_last)

    def step():
        with torch.inference_mode():
            model.infer(x)

    return step


def gemm_step(kind, shape):
    sizes = [int(s) for s in shape.split("x")]
    m, n, k = sizes if len(sizes) == 3 else sizes * 3
    a = torch.rand(k, m).t() if kind == "gemm-tn" else torch.rand(m, k)
    b = torch.rand(n, k).t() if kind == "gemm-nt" else torch.rand(k, n)
    c = torch.empty(m, n)
    return lambda: torch.mm(a, b, out=c)


def startup_step():
    command = [sys.executable, os.path.abspath(__file__), "--first-step"]
    return lambda: subprocess.run(command, check=True)


def configurations(case):
    """(what is special about it, function that makes the step) for each configuration of a case."""
    parts = case.split("/")
    if case == "startup":
        return [("", startup_step)]
    if parts[0].startswith("gemm"):
        return [("", lambda: gemm_step(parts[0], parts[1]))]
    name, batch = parts[1], int(parts[2])
    layouts = [False, True] if name.startswith("conv") else [False]
    if parts[0] == "infer":
        return [(f"channels_last={last}", lambda last=last: infer_step(name, batch, last))
                for last in layouts]
    return [(f"channels_last={last} foreach={each}",
             lambda last=last, each=each: train_step(name, batch, last, each))
            for last in layouts for each in (False, True)]


# --- Measuring: as bench/cases.c does it --------------------------------------------------------------


def time_steps(step, count):
    start = time.perf_counter()
    for _ in range(count):
        step()
    return time.perf_counter() - start


def measure(step, seconds):
    time_steps(step, 3)
    count, taken = 1, time_steps(step, 1)
    while taken < seconds / 10:
        taken = time_steps(step, 2 * count)
        count *= 2
    count = max(1, int(seconds / STRETCHES / (taken / count)))
    return sorted(time_steps(step, count) / count for _ in range(STRETCHES))[STRETCHES // 2]


def reset_peak_memory():
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass


def peak_memory():
    with open("/proc/self/status") as f:
        for line in f:
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return 0


fastest = {}  # of each case: which configuration was, so that later rounds measure only that one


def run(case, seconds):
    choices = configurations(case)
    if case in fastest:
        choices = [c for c in choices if c[0] == fastest[case]]
    reset_peak_memory()
    if case == "startup":
        best, name = min(time_steps(startup_step(), 1) for _ in range(3)), ""
    else:
        best, name = min((measure(make(), seconds), name) for name, make in choices)
    fastest[case] = name
    result = {"case": case}
    parts = case.split("/")
    if parts[0] in ("train", "infer"):
        result["images_per_second"] = int(parts[2]) / best
    result.update(microseconds=1e6 * best, peak_bytes=peak_memory(), configuration=name,
                  threads=torch.get_num_threads(), version=torch.__version__)
    print(json.dumps(result), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--serve", action="store_true")
    parser.add_argument("--first-step", action="store_true")
    options = parser.parse_args()
    if options.first_step:
        train_step("deep", 32, False, False)()
        return
    for case in options.cases:
        run(case, options.seconds)
    if options.serve:
        for line in sys.stdin:
            run(line.strip(), options.seconds)


if __name__ == "__main__":
    main()
