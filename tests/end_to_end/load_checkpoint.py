"""Loads a checkpoint and what was exported of it, without pd-engine.

    load_checkpoint.py CHECKPOINT EXPORTED MODEL

Fails unless both hold the same weights and torchvision's MODEL of ten classes
takes them by load_state_dict(strict=True).
"""

import json
import os
import sys

import numpy
import torch
import torchvision

try:
    from safetensors.numpy import load_file
except ImportError:
    sys.path.append(os.path.join(os.path.dirname(__file__), "../golden"))
    from safetensors_file import read as load_file


def load_checkpoint(folder):
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as text:
        manifest = json.load(text)
    tensors = {}
    for shard in manifest["shards"]:
        tensors.update(load_file(os.path.join(folder, shard["file"])))
    return manifest, tensors


def main(folder, exported, model):
    manifest, tensors = load_checkpoint(folder)
    weights = load_file(exported)
    names = [each["name"] for each in manifest["tensors"]]
    assert sorted(names) == sorted(weights), "other tensors were exported"
    for each in manifest["tensors"]:
        name = each["name"]
        assert list(tensors[name].shape) == each["shape"], name
        assert tensors[name].dtype == weights[name].dtype, name
        assert numpy.array_equal(tensors[name], weights[name]), name
        if each["kind"] == "parameter":
            for i in range(manifest["moments"]):
                assert tensors[f"moment{i}:{name}"].shape == weights[name].shape
    network = getattr(torchvision.models, model)(num_classes=10)
    state = {k: torch.from_numpy(v.copy()) for k, v in weights.items()}
    network.load_state_dict(state, strict=True)


main(*sys.argv[1:])
