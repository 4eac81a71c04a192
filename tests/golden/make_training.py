#!/usr/bin/python3
"""Writes tests/golden/training/<model>.json: the losses of 20 steps of SGD in
PyTorch, from the weights that `pd-engine init` draws, on Fashion-MNIST in file
order, in both of PyTorch's memory formats (whose kernels add in other orders:
how far apart they come is rounding, and more is drift).

    tests/golden/make_training.py [model ...]

Needs python3-torch, python3-torchvision, dataset-fashion-mnist and a built
build/release/bin/pd-engine.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch
import torchvision

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_models  # noqa: E402
import safetensors_file  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINE = os.path.join(HERE, "..", "..", "build", "release", "bin", "pd-engine")
IMAGES = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
LABELS = "/usr/share/datasets/fashion-mnist/train-labels-idx1-ubyte.gz"
STEPS = 20
MEAN, STD = 0.2860, 0.3530

# model: height and width, channels, samples a microbatch, learning rate
CASES = {
    "lenet": (28, 1, 32, 0.02),
    "resnet18": (64, 3, 16, 0.01),
    "resnet50": (64, 3, 16, 0.01),
    "vgg16_bn": (64, 3, 8, 0.005),
    "alexnet": (64, 3, 16, 0.005),
}


def has_dropout(model):
    return model.startswith(("vgg", "alexnet"))


def job_of(model):
    size, channels, microbatch, lr = CASES[model]
    return f"""name = "golden_{model}"
seed = 7
[model]
name = "{model}"
classes = 10
image = [{size}, {size}, {channels}]
{"dropout = 0.0" if has_dropout(model) else ""}
[data]
dataset = "fashion-mnist"
microbatch = {microbatch}
shuffle = false
[train]
epochs = 1
max_microbatches = {STEPS}
evaluate = "never"
[optimizer]
name = "sgd"
lr = {lr}
momentum = 0.9
weight_decay = 1e-4
"""


def weights_of(job):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "job.toml")
        with open(path, "w") as to:
            to.write(job)
        weights = os.path.join(folder, "weights.safetensors")
        subprocess.run([ENGINE, "init", path, "-o", weights], check=True)
        read = safetensors_file.read(weights)
        return {k: torch.from_numpy(v.copy()) for k, v in read.items()}


def batches_of(model):
    size, channels, microbatch, _ = CASES[model]
    count = STEPS * microbatch
    with gzip.open(IMAGES) as source:
        raw = numpy.frombuffer(source.read()[16:], numpy.uint8)
    with gzip.open(LABELS) as source:
        labels = numpy.frombuffer(source.read()[8:], numpy.uint8)
    x = torch.from_numpy(raw.reshape(-1, 1, 28, 28)[:count].astype("float32")) / 255
    if size != 28:
        x = torch.nn.functional.interpolate(x, (size, size), mode="bilinear", align_corners=False)
    x = ((x - MEAN) / STD).repeat(1, channels, 1, 1)
    y = torch.from_numpy(labels[:count].astype("int64"))
    return list(zip(x.split(microbatch), y.split(microbatch)))


def network(model):
    if model == "lenet":
        return make_models.make(model, classes=10, height=28, width=28, channels=1)
    options = {"num_classes": 10}
    if has_dropout(model):
        options["dropout"] = 0.0
    return getattr(torchvision.models, model)(**options)


def train(model, weights, memory_format):
    net = network(model)
    net.load_state_dict(weights, strict=True)
    net = net.to(memory_format=memory_format).train()
    optimizer = torch.optim.SGD(net.parameters(), CASES[model][3], momentum=0.9, weight_decay=1e-4)
    losses = []
    for x, y in batches_of(model):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(net(x.to(memory_format=memory_format)), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def main():
    os.makedirs(os.path.join(HERE, "training"), exist_ok=True)
    for model in sys.argv[1:] or CASES:
        job = job_of(model)
        weights = weights_of(job)
        golden = {
            "job": job,
            "contiguous": train(model, weights, torch.contiguous_format),
            "channels_last": train(model, weights, torch.channels_last),
        }
        with open(os.path.join(HERE, "training", model + ".json"), "w") as to:
            json.dump(golden, to, indent=1)
            to.write("\n")
        print(model, golden["contiguous"][0], golden["contiguous"][-1], flush=True)


if __name__ == "__main__":
    main()
