#!/usr/bin/env python3
"""Writes tests/golden/optim.h: trajectories of PyTorch's optimisers and values of its schedules, in f64.

    python3 tests/golden/optim.py > tests/golden/optim.h        (PyTorch 1.13 was used)

Two parameters, u [3] and v [2], minimise sum(a w^2 / 2 - b_t w) for 20 steps; b_t changes with the
step, and v has no gradient in every third step. test_optim.c does the same.
"""
import math

import torch

STEPS, RECORDED = 20, (1, 2, 5, 20)
START = [0.5, -1.25, 2.0, -0.75, 1.5]
CURVATURE = [1.0, 0.25, 3.0, 2.0, 0.5]
TARGETS = [[math.sin(1.7 * t + i) for i in range(5)] for t in range(STEPS)]

OFF = "TR_OFF"


def row(values):
    return "{ " + ", ".join(float(v).hex() for v in values) + " }"


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


def train(make, groups=None, clip_norm=None, clip_value=None):
    u, v = tensor(START[:3]).requires_grad_(), tensor(START[3:]).requires_grad_()
    optimizer = make([{"params": [u]}, {"params": [v], **(groups or {})}])
    recorded = []
    for t in range(STEPS):
        optimizer.zero_grad(set_to_none=True)
        parts = [(u, slice(0, 3))] + ([] if t % 3 == 2 else [(v, slice(3, 5))])
        loss = sum((tensor(CURVATURE[s]) * w * w / 2 - tensor(TARGETS[t][s]) * w).sum() for w, s in parts)
        loss.backward()
        if clip_norm is not None:
            torch.nn.utils.clip_grad_norm_([u, v], clip_norm)
        if clip_value is not None:
            torch.nn.utils.clip_grad_value_([p for p in (u, v) if p.grad is not None], clip_value)
        optimizer.step()
        if t + 1 in RECORDED:
            recorded.append(u.tolist() + v.tolist())
    return recorded


def option(name, value, standard):
    """The C spelling of an option that PyTorch calls with `value`."""
    if isinstance(value, bool):
        return f".{name} = {'true' if value else 'false'}"
    if value == 0 and standard != 0:
        return f".{name} = {OFF}"
    return f".{name} = {value!r}"


STANDARD = {"beta1": 0.9, "beta2": 0.999, "epsilon": 1e-8, "alpha": 0.99}


def case(rule, options, groups=None, **clip):
    torch_options = dict(options)
    if rule in ("adam", "adamw"):
        torch_options["betas"] = (torch_options.pop("beta1", 0.9), torch_options.pop("beta2", 0.999))
    if "epsilon" in torch_options:
        torch_options["eps"] = torch_options.pop("epsilon")
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
             "rmsprop": torch.optim.RMSprop}
    torch_group = None
    if groups is not None:
        torch_group = {"lr": options["lr"] * groups["lr_factor"], "weight_decay": groups["weight_decay"]}
    recorded = train(lambda p: kinds[rule](p, **torch_options), torch_group, **clip)
    standard = dict(STANDARD, weight_decay=0.01 if rule == "adamw" else 0)
    member = "adam" if rule == "adamw" else rule
    fields = [f".rule = {rule.upper()}",
              f".{member} = {{ " + ", ".join(option(k, v, standard.get(k, 0)) for k, v in options.items()) + " }"]
    if groups is not None:
        decay = groups["weight_decay"] or OFF
        fields.append(f".group = {{ {groups['lr_factor']!r}, {decay} }}")
    fields += [f".{k} = {v!r}" for k, v in clip.items()]
    print("    { " + ", ".join(fields) + ",\n      .w = { " + ",\n             ".join(map(row, recorded)) + " } },")


def cases():
    for momentum in (0.0, 0.9):
        for dampening in (0.0, 0.3) if momentum else (0.0,):
            for decay in (0.0, 0.1):
                for nesterov in (False, True) if momentum and not dampening else (False,):
                    case("sgd", dict(lr=0.05, momentum=momentum, dampening=dampening, weight_decay=decay,
                                     nesterov=nesterov))
    for rule in ("adam", "adamw"):
        for betas in ((0.9, 0.999), (0.5, 0.9), (0.0, 0.99), (0.9, 0.0)):
            for decay in (0.0, 0.1) if rule == "adam" else (0.0, 0.01, 0.1):
                case(rule, dict(lr=0.03, beta1=betas[0], beta2=betas[1], epsilon=1e-8, weight_decay=decay))
        case(rule, dict(lr=0.03, epsilon=0.1, weight_decay=0.05))
    for centered in (False, True):
        for momentum in (0.0, 0.9):
            for decay in (0.0, 0.1):
                case("rmsprop", dict(lr=0.02, alpha=0.9, epsilon=1e-6, momentum=momentum,
                                     weight_decay=decay, centered=centered))
    case("rmsprop", dict(lr=0.02, alpha=0.0, epsilon=1e-3))
    for rule in ("sgd", "adam", "adamw", "rmsprop"):
        case(rule, dict(lr=0.02, weight_decay=0.1), groups=dict(lr_factor=0.25, weight_decay=0.0))
        case(rule, dict(lr=0.02, weight_decay=0.1), groups=dict(lr_factor=2.0, weight_decay=0.5))
    case("sgd", dict(lr=0.05, momentum=0.9), clip_norm=0.7)
    case("sgd", dict(lr=0.05), clip_value=0.3)
    case("adam", dict(lr=0.05), clip_norm=1.5)


def schedules():
    def values(make, count=30):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
        scheduler, result = make(optimizer), []
        for _ in range(count):
            result.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            scheduler.step()
        return result

    S = torch.optim.lr_scheduler
    made = [
        (".kind = TR_SCHEDULE_CONSTANT", lambda o: S.LambdaLR(o, lambda t: 1)),
        (".kind = TR_SCHEDULE_STEP, .every = 7, .factor = 0.3", lambda o: S.StepLR(o, 7, 0.3)),
        (".kind = TR_SCHEDULE_STEP, .every = 4", lambda o: S.StepLR(o, 4)),
        (".kind = TR_SCHEDULE_MILESTONES, .milestones = { 3, 4, 20 }, .factor = 0.5",
         lambda o: S.MultiStepLR(o, [3, 4, 20], 0.5)),
        (".kind = TR_SCHEDULE_EXPONENTIAL", lambda o: S.ExponentialLR(o, 0.95)),
        (".kind = TR_SCHEDULE_EXPONENTIAL, .factor = 1.01", lambda o: S.ExponentialLR(o, 1.01)),
        (".kind = TR_SCHEDULE_COSINE, .length = 30, .min = 0.01", lambda o: S.CosineAnnealingLR(o, 30, 0.01)),
        (".kind = TR_SCHEDULE_CONSTANT, .warmup = 9", lambda o: S.LinearLR(o, 0.1, 1.0, 9)),
    ]
    for fields, make in made:
        print(f"    {{ {{ .lr = 0.2, {fields} }},\n      {row(values(make))} }},")


METRICS = [5, 4, 3.9999, 3.9, 3.9, 3.9, 3.9, 3.95, 3.8999, 3.0, 3.1, 3.2, 3.3, 3.4, 3.5, 3.6, 3.7, 2.0, 2.1, 2.1,
           2.1, 2.1, 2.1, 2.1, 2.1, 2.1]


def plateaus():
    def values(sign, **options):
        optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.2)
        scheduler, result = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options), []
        for metric in METRICS:
            scheduler.step(sign * metric)
            result.append(optimizer.param_groups[0]["lr"])
        return result

    # Patience: PyTorch reduces after one epoch more.
    print("    { { .patience = 3 }, " + row(values(1, patience=2)) + " },")
    print("    { { .patience = 1, .factor = 0.5, .cooldown = 2, .min = 0.02 }, "
          + row(values(1, patience=0, factor=0.5, cooldown=2, min_lr=0.02)) + " },")
    print("    { { .patience = 2, .threshold = 0.1, .factor = 0.7 }, "
          + row(values(1, patience=1, threshold=0.1, factor=0.7)) + " },")
    print("    { { .patience = 2, .threshold = TR_OFF, .factor = 0.5, .maximize = true }, "
          + row(values(1, patience=1, threshold=0, factor=0.5, mode="max")) + " },")


def main():
    print("/* Written by tests/golden/optim.py; see there. PyTorch " + torch.__version__.split("a")[0] + ". */")
    print("static const double start[5] = " + row(START) + ";")
    print("static const double curvature[5] = " + row(CURVATURE) + ";")
    print("static const double targets[20][5] = {\n    " + ",\n    ".join(map(row, TARGETS)) + "\n};\n")
    print("static const golden_case golden_cases[] = {")
    cases()
    print("};\n\nstatic const struct {\n    tr_schedule schedule;\n    double      lr[30];\n} golden_schedules[] = {")
    schedules()
    print(f"}};\n\nstatic const double plateau_metrics[{len(METRICS)}] = " + row(METRICS) + ";")
    print("static const struct {\n    tr_plateau plateau;\n    double     lr[%d];\n} golden_plateaus[] = {" % len(METRICS))
    plateaus()
    print("};")


main()
