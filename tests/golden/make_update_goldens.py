#!/usr/bin/python3
"""Writes tests/golden/ops/update.safetensors: five steps of PyTorch's
optimizers on one small parameter, with other gradients in each step."""

import json
import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
import safetensors_file  # noqa: E402

STEPS, ELEMS, LR = 5, 37, 0.05

CASES = {
    "sgd": ("sgd", {}),
    "sgd_decay": ("sgd", {"weight_decay": 0.1}),
    "sgd_momentum": ("sgd", {"momentum": 0.9, "weight_decay": 0.01}),
    "sgd_dampening": ("sgd", {"momentum": 0.9, "dampening": 0.3}),
    "sgd_nesterov": ("sgd", {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01}),
    "adam": ("adam", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-8}),
    "adam_decay": ("adam", {"beta1": 0.8, "beta2": 0.95, "eps": 1e-6, "weight_decay": 0.1}),
    "adamw": ("adamw", {"beta1": 0.9, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.1}),
}


def optimizer(name, settings, w):
    settings = dict(settings)
    if name == "sgd":
        return torch.optim.SGD([w], LR, **settings)
    settings["betas"] = (settings.pop("beta1"), settings.pop("beta2"))
    made = torch.optim.Adam if name == "adam" else torch.optim.AdamW
    return made([w], LR, **settings)


def main():
    torch.manual_seed(3)
    tensors, metadata = {}, {}
    start = torch.randn(ELEMS)
    grads = torch.randn(STEPS, ELEMS)
    tensors["start"], tensors["grads"] = start.numpy(), grads.numpy()
    for case, (name, settings) in CASES.items():
        w = start.clone().requires_grad_()
        rule = optimizer(name, settings, w)
        steps = []
        for g in grads:
            w.grad = g.clone()
            rule.step()
            steps.append(w.detach().clone())
        tensors[case] = torch.stack(steps).numpy()
        metadata[case] = json.dumps({"name": name, "lr": LR, **settings})
    path = os.path.join(HERE, "ops", "update.safetensors")
    safetensors_file.write(path, tensors, metadata)


if __name__ == "__main__":
    main()
