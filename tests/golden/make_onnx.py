#!/usr/bin/python3
"""Writes tests/golden/onnx/<case>.onnx and <case>.json: small networks as
PyTorch's exporter writes them, with the logits and losses that PyTorch has of
the engine's synthetic data. tests/engine/train/onnx_job_test.cpp reads them.
And the seeds of tools/fuzz/onnx_file.cpp, and graphs/nets/tiny_resnet.onnx.

    tests/golden/make_onnx.py                      writes the goldens
    tests/golden/make_onnx.py --zoo [model ...]    compares torchvision's models

--zoo writes each model and its figures to a temporary folder, has the engine
read and train it (build/release/tests/test_engine_train, or what
PD_TEST_ENGINE_TRAIN names), and prints how far
its logits and the losses of three steps are from PyTorch's. It keeps nothing,
and needs a GiB of disk and 3 GiB of memory for the largest.

Needs python3-torch and python3-torchvision. A network that is exported for
evaluation has its batch norms in its convolutions or frozen, and PyTorch cannot
train that; its golden has logits only.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile
import warnings

import torch
import torchvision
from torch import nn
from torch.onnx import TrainingMode

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_training  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
TEST = os.environ.get("PD_TEST_ENGINE_TRAIN", os.path.join(
    HERE, "..", "..", "build", "release", "tests", "test_engine_train"))
CLASSES, SEED = make_training.CLASSES, make_training.SEED
STEPS, MOMENTUM = 3, 0.9


# -- small networks --------------------------------------------------------------

class LeNet(nn.Module):
    """Flattens by its input's shape; drops nothing, but has the layer."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 5, padding=2)
        self.conv2 = nn.Conv2d(4, 8, 3, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.drop = nn.Dropout(0.0)
        self.fc = nn.Linear(8 * 3 * 3, CLASSES)

    def forward(self, x):
        x = self.pool(torch.relu(self.conv1(x)))
        x = self.pool(torch.relu(self.conv2(x)))
        return self.fc(self.drop(x.view(x.size(0), -1)))


class TinyResNet(torchvision.models.ResNet):
    """torchvision's ResNet, narrow and of two layers."""

    def __init__(self):
        nn.Module.__init__(self)
        self._norm_layer = nn.BatchNorm2d
        self.inplanes, self.dilation, self.groups, self.base_width = 8, 1, 1, 64
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        block = torchvision.models.resnet.BasicBlock
        self.layer1 = self._make_layer(block, 8, 2)
        self.layer2 = self._make_layer(block, 16, 1, stride=2)
        self.layer3, self.layer4 = nn.Identity(), nn.Identity()
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, CLASSES)


class Shapes(nn.Module):
    """The forms that no torchvision model above has: a mean over pixels, a pool
    that counts its padding, one that rounds up, groups, dilation, a matrix of
    no module, whose names are not PyTorch's in the engine."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1),
                                  nn.BatchNorm2d(8, momentum=0.01, eps=1e-3), nn.ReLU())
        self.wide = nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=2)
        self.average = nn.AvgPool2d(3, stride=1, padding=1)
        self.largest = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.weight = nn.Parameter(torch.randn(8, 12) / 3)
        self.bias = nn.Parameter(torch.randn(12))
        self.head = nn.Linear(12, CLASSES, bias=False)

    def forward(self, x):
        x = self.stem(x)
        x = self.largest(self.average(torch.relu(self.wide(x)) + x))
        x = x.mean([2, 3]) @ self.weight + self.bias
        return self.head(torch.relu(x).reshape(-1, 12))


def tiny_vit():
    """Two layers. torchvision's head starts at zero, which would hide all."""
    net = torchvision.models.VisionTransformer(
        image_size=16, patch_size=8, num_layers=2, num_heads=2, hidden_dim=12, mlp_dim=20,
        num_classes=CLASSES)
    nn.init.normal_(net.heads.head.weight)
    return net


def tiny_densenet():
    return torchvision.models.DenseNet(
        growth_rate=4, block_config=(2, 1), num_init_features=8, bn_size=2, num_classes=CLASSES)


# case: network, height and width, channels, opset, for training, open batch
SMALL = {
    "lenet_11": (LeNet, 16, 1, 11, True, True),
    "lenet_13_eval": (LeNet, 16, 1, 13, False, False),
    "lenet_17": (LeNet, 16, 1, 17, True, True),
    "resnet_11": (TinyResNet, 16, 3, 11, True, True),
    "resnet_17": (TinyResNet, 16, 3, 17, True, True),
    "resnet_17_eval": (TinyResNet, 16, 3, 17, False, True),
    "densenet_13_eval": (tiny_densenet, 32, 3, 13, False, False),
    "densenet_17": (tiny_densenet, 32, 3, 17, True, True),
    "vit_11": (tiny_vit, 16, 3, 11, True, True),
    "vit_13_eval": (tiny_vit, 16, 3, 13, False, False),
    "vit_17": (tiny_vit, 16, 3, 17, True, True),
    "shapes_13": (Shapes, 15, 3, 13, True, False),
    "shapes_17": (Shapes, 15, 3, 17, True, True),
}


# -- torchvision's models --------------------------------------------------------

# model: height and width, samples
ZOO = {
    "alexnet": (224, 4), "vgg11": (224, 2), "vgg16_bn": (224, 2), "resnet18": (64, 8),
    "resnet34": (64, 8), "resnet50": (64, 8), "resnet101": (64, 8), "resnext50_32x4d": (64, 8),
    "squeezenet1_0": (224, 4), "squeezenet1_1": (224, 4), "densenet121": (64, 8),
    "densenet169": (64, 8), "googlenet": (64, 8), "inception_v3": (128, 4),
    "mobilenet_v2": (64, 8), "mnasnet0_5": (64, 8), "mnasnet1_0": (64, 8), "vit_b_16": (224, 2),
}


def zoo_network(name):
    options = {"num_classes": CLASSES}
    if name in ("googlenet", "inception_v3"):
        options.update(aux_logits=False, init_weights=False)
    if name == "vit_b_16":
        options.update(image_size=ZOO[name][0])
    net = getattr(torchvision.models, name)(**options)
    for each in net.modules():
        if isinstance(each, nn.Dropout):
            each.p = 0.0
    if name.startswith("vit"):
        nn.init.normal_(net.heads.head.weight, std=0.1)  # starts at zero
    return net


# -- figures ---------------------------------------------------------------------

def stir(net):
    """Statistics and scales as of a network that was trained; the last norm of
    a bottleneck is small, for without that PyTorch does not follow itself."""
    generator = torch.Generator().manual_seed(SEED)
    for name, each in net.named_modules():
        if isinstance(each, nn.BatchNorm2d):
            for tensor, low, high in ((each.weight, 0.5, 1.0), (each.bias, -0.2, 0.2),
                                      (each.running_mean, -0.2, 0.2), (each.running_var, 0.5, 1.5)):
                tensor.data.uniform_(low, high, generator=generator)
            if name.endswith("bn3"):
                each.weight.data *= 0.1


def export(net, path, images, opset, is_training, is_open):
    options = {"opset_version": opset, "input_names": ["input"], "output_names": ["logits"]}
    if is_training:
        options.update(training=TrainingMode.TRAINING, do_constant_folding=False)
    if is_open:
        options["dynamic_axes"] = {"input": {0: "N"}, "logits": {0: "N"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, images, path, **options)


def train(net, images, labels, samples, lr, dtype=torch.float32):
    net = copy.deepcopy(net).to(dtype).train()
    optimizer = torch.optim.SGD(net.parameters(), lr=lr, momentum=MOMENTUM)
    losses = []
    for x, y in zip(images.split(samples), labels.split(samples)):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(net(x.to(dtype)), y)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def steady_rate(net, images, labels, samples):
    """The largest rate at which PyTorch's float32 follows its float64: a deep
    network that is fresh makes a rounding grow by itself (make_training.py)."""
    for lr in (1e-2, 1e-3, 1e-5, 1e-7):
        exact = train(net, images, labels, samples, lr, torch.float64)
        apart = make_training.relative(train(net, images, labels, samples, lr), exact).max()
        if apart < 1e-5:
            break
    still = train(net, images, labels, samples, 0.0)
    moved = make_training.relative(still, exact).max()
    print(f"  rate {lr}: PyTorch from its float64 {apart:.1e}, moved by training {moved:.1e}")
    return lr


def job_of(case, size, channels, samples, lr):
    return f"""name = "{case}"
seed = {SEED}
[model]
file = "{case}.onnx"
classes = {CLASSES}
image = [{size}, {size}, {channels}]
[data]
dataset = "synthetic"
microbatch = {samples}
shuffle = false
[train]
max_microbatches = {STEPS}
evaluate = "never"
[optimizer]
lr = {lr}
momentum = {MOMENTUM}
"""


def write(folder, case, net, size, channels, samples, lr, opset, is_training, is_open):
    images, labels = make_training.synthetic(size, channels, STEPS * samples)
    stir(net)
    # It runs the network: batch norms for training have other statistics then.
    export(net.eval(), os.path.join(folder, case + ".onnx"), images[:samples], opset, is_training,
           is_open)
    with torch.no_grad():
        logits = net.eval()(images[:samples])
    has_norm = any(isinstance(each, nn.BatchNorm2d) for each in net.modules())
    golden = {
        "job": job_of(case, size, channels, samples, lr),
        "logits": logits.flatten().tolist(),
        "parameters": {k: list(v.shape) for k, v in net.state_dict().items()}
        if is_training and not isinstance(net, Shapes) else {},
        "losses": train(net, images, labels, samples, lr) if is_training or not has_norm else [],
    }
    with open(os.path.join(folder, case + ".json"), "w") as to:
        json.dump(golden, to)
        to.write("\n")


def make_small():
    folder = os.path.join(HERE, "onnx")
    os.makedirs(folder, exist_ok=True)
    for case, (network, size, channels, opset, is_training, is_open) in SMALL.items():
        torch.manual_seed(SEED)
        write(folder, case, network(), size, channels, 4, 0.02, opset, is_training, is_open)
        print(f"{case}: {os.path.getsize(os.path.join(folder, case + '.onnx'))} bytes")


class Seed(nn.Module):
    """A few of everything, in as few bytes as it goes."""

    def __init__(self, channels):
        super().__init__()
        self.conv = nn.Conv2d(channels, 2, 3, padding=1)
        self.bn = nn.BatchNorm2d(2)
        self.fc = nn.Linear(8, 2)
        self.weight = nn.Parameter(torch.ones(2, 2))
        self.bias = nn.Parameter(torch.ones(2))

    def forward(self, x):
        x = torch.relu(self.bn(self.conv(x)))
        x = nn.functional.avg_pool2d(nn.functional.max_pool2d(x, 2), 2, stride=1, padding=1)
        x = torch.cat([x, x + x], 1).mean([2, 3], keepdim=True)
        x = nn.functional.dropout(torch.cat([x, x], 1).view(x.size(0), -1), 0.5, self.training)
        return self.fc(x) @ self.weight + self.bias


def make_seeds():
    folder = os.path.join(HERE, "..", "..", "tools", "fuzz", "corpus", "onnx_file")
    os.makedirs(folder, exist_ok=True)
    for opset, is_training, is_open, channels in ((11, True, True, 1), (13, False, False, 1),
                                                  (17, True, True, 3)):
        path = os.path.join(folder, f"opset_{opset}")
        export(Seed(channels), path, torch.zeros(2, channels, 6, 6), opset, is_training, is_open)


def make_example():
    """The network of graphs/onnx_net.toml."""
    torch.manual_seed(SEED)
    path = os.path.join(HERE, "..", "..", "graphs", "nets", "tiny_resnet.onnx")
    export(TinyResNet(), path, torch.zeros(2, 3, 16, 16), 17, True, True)


def compare_zoo(names):
    torch.set_num_threads(2)
    failed = []
    for name in names or ZOO:
        size, samples = ZOO[name]
        lr = None
        for opset, is_training in ((11, True), (17, True), (13, False)):
            case = f"{name}_{opset}" + ("" if is_training else "_eval")
            with tempfile.TemporaryDirectory() as folder:
                torch.manual_seed(SEED)
                net = zoo_network(name)
                if lr is None:
                    stir(net)
                    images, labels = make_training.synthetic(size, 3, STEPS * samples)
                    lr = steady_rate(net, images, labels, samples)
                write(folder, case, net, size, 3, samples, lr, opset, is_training, True)
                run = subprocess.run([TEST, "[zoo]"], env={**os.environ, "PD_ONNX_GOLDENS": folder},
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            lines = run.stdout.strip().splitlines()
            if run.returncode != 0:
                failed.append(case)
            print("\n".join(lines if run.returncode else lines[1:2]), flush=True)
    sys.exit(f"failed: {' '.join(failed)}" if failed else 0)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--zoo"]:
        compare_zoo(sys.argv[2:])
    else:
        make_small()
        make_seeds()
        make_example()
