#!/usr/bin/python3
"""Makes tests/golden/models: what torchvision calls a model's parameters.

    /usr/bin/python3 tests/golden/make_models.py [MODEL ...]

<model>.txt has a line "name dtype [shape]" for each entry of the model's
state_dict, in its order, for 1000 classes and images of 3 channels (mlp,
lenet: 10 classes, 28x28, 1 channel).

initial.txt has a line "model name mean std" for parameters as they start: what
one draw of torch's generator came to, so a test allows for the sample's size.

mlp, lenet and alexnet_lrn are not in torchvision: here is what they are in
PyTorch.
`make(name, ...)` gives any model as pd-engine builds it under this name, `load`
its weights, `losses_of` what it is trained for.
"""

import collections
import pathlib
import sys

import torch
import torchvision
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent / "models"
DTYPES = {torch.float32: "f32", torch.int64: "i64"}
VGGS = [f"vgg{depth}{norm}" for norm in ("", "_bn") for depth in (11, 13, 16, 19)]
NAMES = ["mlp", "lenet", "alexnet", *VGGS, "resnet18", "resnet34", "resnet50",
         "resnet101", "resnet152", "resnext50_32x4d", "resnext101_32x8d",
         "squeezenet1_0", "squeezenet1_1", "vit_b_16", "vit_b_32", "vit_l_16",
         "vit_l_32", "densenet121", "densenet161", "densenet169", "densenet201",
         "googlenet", "inception_v3", "mobilenet_v2", "mnasnet1_0",
         "alexnet_lrn"]
MEASURED = ["lenet", "alexnet", "vgg11_bn", "resnet18", "resnext50_32x4d",
            "squeezenet1_1", "vit_b_16", "densenet121", "googlenet",
            "inception_v3", "mobilenet_v2", "mnasnet1_0"]


# -- the models that torchvision does not have ---------------------------------

class Mlp(nn.Module):
    def __init__(self, classes, height, width, channels):
        super().__init__()
        self.fc1 = nn.Linear(channels * height * width, 512)
        self.fc2 = nn.Linear(512, 512)
        self.fc3 = nn.Linear(512, classes)

    def forward(self, x):
        x = torch.flatten(x, 1)
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


class LeNet(nn.Module):
    def __init__(self, classes, height, width, channels):
        super().__init__()
        after = ((height // 2 - 4) // 2) * ((width // 2 - 4) // 2)
        self.conv1 = nn.Conv2d(channels, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(16 * after, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, classes)

    def forward(self, x):
        x = nn.functional.max_pool2d(torch.relu(self.conv1(x)), 2)
        x = nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        x = torch.flatten(x, 1)
        x = torch.relu(self.fc1(x))
        x = torch.relu(self.fc2(x))
        return self.fc3(x)


class AlexNetLrn(nn.Module):
    """The paper's (NIPS 2012), in one column."""

    def __init__(self, classes, channels, dropout):
        super().__init__()
        norm = lambda: nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)
        self.features = nn.Sequential(
            nn.Conv2d(channels, 96, 11, 4, 2), nn.ReLU(), norm(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(96, 256, 5, padding=2), nn.ReLU(), norm(),
            nn.MaxPool2d(3, 2),
            nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 384, 3, padding=1), nn.ReLU(),
            nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2))
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(256 * 36, 4096), nn.ReLU(),
            nn.Dropout(dropout), nn.Linear(4096, 4096), nn.ReLU(),
            nn.Linear(4096, classes))

    def forward(self, x):
        return self.classifier(torch.flatten(self.avgpool(self.features(x)), 1))


def mlp(classes=10, height=28, width=28, channels=1):
    return Mlp(classes, height, width, channels)


def lenet(classes=10, height=28, width=28, channels=1):
    return LeNet(classes, height, width, channels)


def replace_first_convolution(model, channels):
    """A model for images of other than three channels."""
    for module in model.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.Conv2d):
                setattr(module, name, nn.Conv2d(
                    channels, child.out_channels, child.kernel_size,
                    child.stride, child.padding, bias=child.bias is not None))
                return


def has_dropout(name):
    return not name.startswith(("mlp", "lenet", "resne", "vit"))


def make(name, classes=1000, height=224, width=224, channels=3, dropout=None):
    """The model in PyTorch that pd-engine builds under this name."""
    if name in ("mlp", "lenet"):
        kind = mlp if name == "mlp" else lenet
        return kind(classes, height, width, channels)
    if name == "alexnet_lrn":
        return AlexNetLrn(classes, channels, 0.5 if dropout is None else dropout)
    settings = {"num_classes": classes}
    if dropout is not None and has_dropout(name):
        settings["drop_rate" if name.startswith("densenet") else "dropout"] = dropout
    if dropout is not None and name == "googlenet":
        settings["dropout_aux"] = dropout
    if name in ("googlenet", "inception_v3"):
        settings["init_weights"] = True
    if name.startswith("vit"):
        settings["image_size"] = height
    model = getattr(torchvision.models, name)(weights=None, **settings)
    if channels != 3:
        replace_first_convolution(model, channels)
    return model


def load(model, weights):
    """Strictly. The version of a file without one would be 1, and mnasnet's
    of that version has other widths."""
    state = collections.OrderedDict(weights)
    state._metadata = model.state_dict()._metadata
    model.load_state_dict(state, strict=True)


def losses_of(name, output, labels):
    """The main loss, and the auxiliary heads' as they count; of bfloat16 in
    float32."""
    def loss_of(logits):
        exact = logits.to(torch.promote_types(logits.dtype, torch.float32))
        return nn.functional.cross_entropy(exact, labels)

    if name == "inception_v3":
        return loss_of(output.logits), 0.4 * loss_of(output.aux_logits)
    if name == "googlenet":
        return loss_of(output.logits), 0.3 * (loss_of(output.aux_logits1) + loss_of(output.aux_logits2))
    return loss_of(output), 0.0


# -- the files -----------------------------------------------------------------

def make_usual(name):
    return make(name, 10, 28, 28, 1) if name in ("mlp", "lenet") else make(name)


def write_names(name, model):
    lines = [f"{key} {DTYPES[value.dtype]} {list(value.shape)}\n"
             for key, value in model.state_dict().items()]
    (HERE / f"{name}.txt").write_text("".join(lines))


def initial_lines(name, model):
    """The trained ones with enough elements to tell, and those all alike."""
    for key, value in model.state_dict().items():
        if "running_" in key or value.dtype != torch.float32:
            continue
        value = value.double()
        std = float(value.std(unbiased=False))
        if value.numel() >= 4096 or std == 0:
            yield f"{name} {key} {float(value.mean()):.6g} {std:.6g}\n"


def main():
    torch.manual_seed(1)
    HERE.mkdir(exist_ok=True)
    initial = []
    for name in sys.argv[1:] or NAMES:
        model = make_usual(name)
        write_names(name, model)
        if name in MEASURED:
            initial += initial_lines(name, model)
        print(name, sum(p.numel() for p in model.parameters()))
    if not sys.argv[1:]:
        (HERE / "initial.txt").write_text("".join(initial))


if __name__ == "__main__":
    main()
