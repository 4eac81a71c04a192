#!/usr/bin/python3
"""Writes tests/golden/training/<model>.json: the losses of 20 steps of SGD in
PyTorch on the engine's synthetic data, from the weights that `pd-engine init`
draws; of the models in SHORT_CASES of 5 steps.

    tests/golden/make_training.py [model ...]

Needs python3-torch, python3-torchvision and a built build/release/bin/pd-engine;
PD_ENGINE names another. Set OPENBLAS_NUM_THREADS=1: its threads and PyTorch's
own get into each other's way.

Four rows of losses: float32 in both of PyTorch's memory formats, whose kernels
add in other orders; float64; and those of the same batches without an update.
`fresh` is the first loss in float64 from the weights as drawn. `nudged` are
rows in float32 from weights that were moved by a rounding at random, where a
rounding may turn a ReLU and the rate makes that grow (alexnet, whose loss
moves at no smaller rate): how far apart two right programs may come.

The settings were chosen by PyTorch alone, so that rounding stays small beside
what training does. At the rates of practice it does not: rounding turns a few
of a layer's millions of ReLUs, each turn moves the gradient by about one part
in the root of their number, and a step that is not small against the curvature
makes it grow by itself. Hence the small rates, and with them a weight decay
that is large enough to be seen. A fresh ResNet-50 of torchvision's is worse,
since its gradient grows from block to block, to 500 at the first convolution;
its last batch norm of each block is scaled to a tenth here (a mild form of
torchvision's zero_init_residual; arXiv 1706.02677, section 5.1), as are those
of the other deep residual networks. DenseNet, GoogLeNet, MobileNetV2 and MNASNet
start with the biases of their batch norms at 2, which leaves few ReLUs for a
rounding to turn.

Models with auxiliary heads train as torchvision says, the heads' losses times
their weights added to the main one; the main one is what is written down.

A golden is refused if PyTorch is not near itself, in bfloat16 too, if training
hardly moves the loss, or if it could not tell a momentum that is 1 % less or no
weight decay.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile

import numpy
import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import make_models  # noqa: E402
import safetensors_file  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
ENGINE = os.environ.get(
    "PD_ENGINE", os.path.join(HERE, "..", "..", "build", "release", "bin", "pd-engine"))
STEPS, CLASSES, SEED, MOMENTUM = 20, 10, 7, 0.9

# model: height and width, channels, samples a microbatch, learning rate, decay
CASES = {
    "lenet": (28, 1, 32, 0.02, 1e-3),
    "resnet18": (64, 3, 32, 1e-5, 5.0),
    "resnet50": (64, 3, 16, 3e-5, 2.0),
    "vgg16_bn": (64, 3, 16, 5e-6, 5.0),
    "alexnet": (64, 3, 16, 0.1, 1e-3),
}

# As above, of models that train SHORT_STEPS only: no 1 % less momentum could be
# told, but that every op and every parameter is the one of PyTorch's can.
SHORT_STEPS = 5
SHORT_CASES = {
    "resnet34": (64, 3, 8, 3e-4, 1.0),
    "resnet101": (64, 3, 8, 3e-4, 3.0),
    "resnet152": (64, 3, 8, 1e-4, 3.0),
    "resnext50_32x4d": (64, 3, 8, 3e-4, 1.0),
    "vgg11": (32, 3, 8, 1e-2, 1e-3),
    "vgg13": (32, 3, 8, 1e-2, 1e-3),
    "vgg16": (32, 3, 8, 0.1, 1e-3),
    "vgg19": (32, 3, 8, 0.3, 1e-3),
    "vgg11_bn": (32, 3, 8, 1e-4, 1.0),
    "vgg13_bn": (32, 3, 8, 1e-4, 1.0),
    "vgg19_bn": (32, 3, 8, 1e-4, 1.0),
    "densenet121": (64, 3, 8, 3e-5, 1e-2),
    "densenet169": (64, 3, 8, 3e-5, 1e-2),
    "densenet201": (64, 3, 8, 3e-5, 1e-2),
    "densenet161": (64, 3, 8, 3e-5, 1e-2),
    "resnext101_32x8d": (64, 3, 8, 3e-4, 3.0),
    "mnasnet1_0": (64, 3, 8, 1e-5, 1e-2),
    "googlenet": (64, 3, 8, 3e-6, 1e-2),
    "mobilenet_v2": (64, 3, 8, 3e-5, 1e-2),
    "squeezenet1_0": (64, 3, 8, 0.01, 1e-3),
    "squeezenet1_1": (64, 3, 8, 0.1, 1e-3),
    "inception_v3": (299, 3, 4, 3e-6, 1e-2),
    "alexnet_lrn": (64, 3, 8, 0.03, 1e-3),
    "vit_b_16": (32, 3, 8, 0.01, 1e-3),
    "vit_b_32": (64, 3, 8, 0.01, 1e-3),
    "vit_l_16": (32, 3, 8, 0.01, 1e-3),
    "vit_l_32": (64, 3, 8, 0.01, 1e-3),
}

# model: rows from weights that were moved by a rounding
NUDGES = {"alexnet": 8}

DENSE_FILL = {"norm1.bias": 2.0, "norm2.bias": 2.0, "norm.bias": 2.0,
              "norm0.bias": 2.0}

# model: how parameters of these names start, instead of as drawn
FILLS = {
    "resnet34": {"bn2.weight": 0.1},
    "resnet101": {"bn3.weight": 0.03},
    "resnet152": {"bn3.weight": 0.03},
    "resnext50_32x4d": {"bn3.weight": 0.1},
    "resnext101_32x8d": {"bn3.weight": 0.05},
    "densenet121": DENSE_FILL,
    "densenet161": DENSE_FILL,
    "densenet169": DENSE_FILL,
    "densenet201": DENSE_FILL,
    "mnasnet1_0": {".1.bias": 2.0, ".4.bias": 2.0, "layers.7.weight": 0.1},
    "resnet50": {"bn3.weight": 0.1},
    "googlenet": {".bn.bias": 2.0},
    "inception_v3": {".bn.bias": 2.0},
    "mobilenet_v2": {".1.bias": 2.0, "conv.3.weight": 0.1, "conv.2.weight": 0.1},
}


# -- the engine's data, as docs/data.md has it ---------------------------------

def philox(key, indices):
    """u64 [n, 4]: four 32-bit words for each index."""
    low, high = numpy.uint64(0xFFFFFFFF), numpy.uint64(32)
    index = numpy.asarray(indices, numpy.uint64)
    c = [index & low, index >> high,
         numpy.full(index.shape, key[1] & 0xFFFFFFFF, numpy.uint64),
         numpy.full(index.shape, key[1] >> 32, numpy.uint64)]
    k = [key[0] & 0xFFFFFFFF, key[0] >> 32]
    for _ in range(10):
        p, q = numpy.uint64(0xD2511F53) * c[0], numpy.uint64(0xCD9E8D57) * c[2]
        c = [(q >> high) ^ c[1] ^ numpy.uint64(k[0]), q & low,
             (p >> high) ^ c[3] ^ numpy.uint64(k[1]), p & low]
        k = [(k[0] + 0x9E3779B9) & 0xFFFFFFFF, (k[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return numpy.stack(c, -1)


def random_key(seed, name, stream=0):
    digest = 0xCBF29CE484222325  # FNV-1a
    for byte in name.encode():
        digest = (digest ^ byte) * 0x100000001B3 % 2**64
    words = [int(w) for w in philox((seed, digest), [stream])[0]]
    return words[0] | words[1] << 32, words[2] | words[3] << 32


def taps(source, target):
    at = numpy.maximum((numpy.arange(target) + 0.5) * (source / target) - 0.5, 0)
    first = numpy.minimum(at.astype(int), source - 1)
    second = numpy.minimum(first + 1, source - 1)
    return first, second, (at - first).astype("float32")


def resize(x, size):
    a, b, t = taps(x.shape[2], size)
    x = x[:, :, :, a] * (1 - t) + x[:, :, :, b] * t
    return x[:, :, a] * (1 - t)[:, None] + x[:, :, b] * t[:, None]


def synthetic(size, channels, count):
    """f32 [count, channels, size, size] and the labels."""
    elems = CLASSES * 4 * 4 * channels
    bytes_ = philox(random_key(SEED, "synthetic.pattern"), range(elems))[:, 0] >> numpy.uint64(24)
    patterns = bytes_.astype("float32").reshape(CLASSES, 4, 4, channels) / numpy.float32(255)
    patterns = (patterns - numpy.float32(0.5)) / numpy.float32(0.2898)
    labels = numpy.arange(count) % CLASSES
    images = resize(patterns.transpose(0, 3, 1, 2), size)[labels]
    for i in range(count):
        key = random_key(SEED, "synthetic.noise.train", i)
        words = philox(key, range(-(-images[i].size // 4))).reshape(-1)[:images[i].size]
        uniform = (words >> numpy.uint64(8)).astype("float32") * numpy.float32(2**-24)
        images[i] += (2 * uniform - 1).reshape(images[i].shape)
    return torch.from_numpy(images), torch.from_numpy(labels)


# -- training ------------------------------------------------------------------

def case_of(model):
    return CASES.get(model) or SHORT_CASES[model]


def steps_of(model):
    return STEPS if model in CASES else SHORT_STEPS


def job_of(model):
    size, channels, microbatch, lr, decay = case_of(model)
    dropout = "dropout = 0.0\n" if make_models.has_dropout(model) else ""
    return f"""name = "golden_{model}"
seed = {SEED}
[model]
name = "{model}"
classes = {CLASSES}
image = [{size}, {size}, {channels}]
{dropout}[data]
dataset = "synthetic"
microbatch = {microbatch}
shuffle = false
[train]
epochs = 1
max_microbatches = {steps_of(model)}
evaluate = "never"
[optimizer]
name = "sgd"
lr = {lr}
momentum = {MOMENTUM}
weight_decay = {decay}
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


def filled(model, weights):
    result = dict(weights)
    for suffix, value in FILLS.get(model, {}).items():
        for name, tensor in weights.items():
            if name.endswith(suffix):
                result[name] = torch.full_like(tensor, value)
    return result


def nudged(weights, seed):
    """Each weight times 1 + 2^-24 times a normal number."""
    generator = torch.Generator().manual_seed(seed)
    return {k: (v * (1 + 2.0**-24 * torch.randn(v.shape, generator=generator, dtype=torch.float64))).float()
            if v.is_floating_point() else v for k, v in weights.items()}


def network(model):
    size, channels = case_of(model)[:2]
    return make_models.make(model, CLASSES, size, size, channels, dropout=0.0)


class Trainer:
    def __init__(self, model, job):
        self.model = model
        size, channels, self.microbatch, self.lr, self.decay = case_of(model)
        self.steps = steps_of(model)
        self.fresh = weights_of(job)
        self.weights = filled(model, self.fresh)
        self.images, self.labels = synthetic(size, channels, self.steps * self.microbatch)

    def losses(self, dtype=torch.float32, memory_format=torch.contiguous_format, weights=None,
               steps=None, bfloat16=False, **changed):
        settings = dict(lr=self.lr, momentum=MOMENTUM, weight_decay=self.decay)
        settings.update(changed)
        net = network(self.model)
        make_models.load(net, weights or self.weights)
        net = net.to(dtype=dtype).to(memory_format=memory_format).train()
        optimizer = torch.optim.SGD(net.parameters(), **settings)
        losses = []
        batches = zip(self.images.split(self.microbatch), self.labels.split(self.microbatch))
        for x, y in itertools.islice(batches, steps or self.steps):
            optimizer.zero_grad()
            x = x.to(dtype).to(memory_format=memory_format)
            with torch.cpu.amp.autocast(bfloat16, torch.bfloat16, cache_enabled=False):
                output = net(x)
            loss, others = make_models.losses_of(self.model, output, y)
            (loss + others).backward()
            optimizer.step()
            losses.append(loss.item())
        return losses


# -- is it a golden? -----------------------------------------------------------

def relative(x, wanted):
    x, wanted = numpy.array(x), numpy.array(wanted)
    return abs(x - wanted) / abs(wanted)


def excess(losses, golden):
    """How far beyond what tests/end_to_end/training_test.cpp allows; 1 is just
    as far."""
    rows = [golden["contiguous"], golden["channels_last"], *golden["nudged"]]
    apart = [relative(row, golden["float64"]) for row in rows]
    rounding = numpy.maximum.accumulate(numpy.max(apart, 0))
    allowed = numpy.maximum(8 * rounding, 1e-5)
    return (relative(losses, golden["float64"]) / allowed).max()


def check(golden, bfloat16, planted):
    exact = golden["float64"]
    for kind in ("contiguous", "channels_last"):
        apart = relative(golden[kind], exact)
        print(f"  {kind}: {apart[:5].max():.1e} from float64 over 5 steps, "
              f"{apart.max():.1e} over {STEPS}")
        assert apart[:5].max() <= 1.25e-5 and apart.max() <= 2.5e-4
    apart = relative(bfloat16, golden["contiguous"])
    print(f"  bfloat16: {apart.max():.1e} from float32")
    assert apart.max() <= 1e-2
    for row in golden["nudged"]:
        print(f"  nudged: {relative(row, exact).max():.1e} from float64")
    moved = relative(exact, golden["untrained"])
    print(f"  training moves the last loss by {moved[-1]:.1e}")
    assert moved[-1] >= 1e-2
    for what, losses in planted.items():
        print(f"  {what}: {excess(losses, golden):.1f} times what is allowed")
        assert excess(losses, golden) > 1.5


def check_short(golden):
    exact = golden["float64"]
    apart = relative(golden["contiguous"], exact)
    print(f"  contiguous: {apart.max():.1e} from float64")
    assert apart.max() <= 1.25e-5
    moved = relative(exact, golden["untrained"])
    print(f"  training moves the last loss by {moved[-1]:.1e}")
    assert moved[-1] >= 1e-3


def make_short(model, job):
    trainer = Trainer(model, job)
    golden = {
        "job": job,
        "fills": FILLS.get(model, {}),
        "contiguous": trainer.losses(),
        "float64": trainer.losses(dtype=torch.float64),
        "untrained": trainer.losses(lr=0.0),
    }
    print(f"{model}: {golden['float64'][0]:.4f} ... {golden['float64'][-1]:.4f}", flush=True)
    check_short(golden)
    return golden


def write(model, golden):
    with open(os.path.join(HERE, "training", model + ".json"), "w") as to:
        json.dump(golden, to, indent=1)
        to.write("\n")


def main():
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", 2)))
    os.makedirs(os.path.join(HERE, "training"), exist_ok=True)
    for model in sys.argv[1:] or [*CASES, *SHORT_CASES]:
        job = job_of(model)
        if model in SHORT_CASES:
            write(model, make_short(model, job))
            continue
        trainer = Trainer(model, job)
        golden = {
            "job": job,
            "fills": FILLS.get(model, {}),
            "contiguous": trainer.losses(),
            "channels_last": trainer.losses(memory_format=torch.channels_last),
            "float64": trainer.losses(dtype=torch.float64),
            "nudged": [trainer.losses(weights=nudged(trainer.weights, seed))
                       for seed in range(NUDGES.get(model, 0))],
            "untrained": trainer.losses(lr=0.0),
            "fresh": trainer.losses(torch.float64, weights=trainer.fresh, steps=1)[0],
        }
        print(f"{model}: {golden['float64'][0]:.4f} ... {golden['float64'][-1]:.4f}", flush=True)
        check(golden, trainer.losses(bfloat16=True), {
            "1 % less momentum": trainer.losses(momentum=0.99 * MOMENTUM),
            "no weight decay": trainer.losses(weight_decay=0.0),
        })
        write(model, golden)


if __name__ == "__main__":
    main()
