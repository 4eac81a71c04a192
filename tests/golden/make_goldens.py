#!/usr/bin/python3
"""Makes tests/golden/ops/<op>.safetensors: what PyTorch says of every op.

    /usr/bin/python3 tests/golden/make_goldens.py [OP ...]

A file holds the cases of one op. A case has the tensors

    <case>/input<i>            as the op takes them, [N, C, H, W] row-major
    <case>/param.<suffix>      before forward
    <case>/output              of forward
    <case>/after.<suffix>      a statistic that forward changed
    <case>/output_grad         what backward starts from (none at the loss)
    <case>/grad.input<i>       what it makes of it
    <case>/grad.<suffix>

and its settings in __metadata__[case], as JSON: {"training": bool,
"attributes": {...}}. Operands are rounded to bf16, so the same file tells
what a bf16 kernel should come near to. Results are computed in float64.
"""

import json
import pathlib
import struct
import sys

import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
DTYPES = {torch.float32: "F32", torch.int32: "I32", torch.int64: "I64"}


# -- files -------------------------------------------------------------------

def write_safetensors(path, tensors, metadata):
    header, blobs, offset = {"__metadata__": metadata}, [], 0
    for name, value in tensors.items():
        value = value.detach().contiguous()
        blob = value.numpy().tobytes()
        header[name] = {"dtype": DTYPES[value.dtype],
                        "shape": list(value.shape),
                        "data_offsets": [offset, offset + len(blob)]}
        blobs.append(blob)
        offset += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


class Cases:
    """Collects the cases of one op."""

    def __init__(self):
        self.tensors, self.metadata = {}, {}

    def add(self, name, attributes, forward, inputs, params=None, after=None,
            training=True, wants=None, output_grad=True):
        """forward(inputs, params) in float64; `after` the changed statistics.

        wants: the inputs that have a gradient; all floating ones if None.
        """
        params = params or {}
        for x in [*inputs, *params.values()]:
            assert not x.is_floating_point() or (x == rounded(x)).all(), name
        wide = [x.double() if x.is_floating_point() else x for x in inputs]
        leaves = [x.requires_grad_() if x.is_floating_point() else x
                  for x in wide]
        kept = {k: v.double().requires_grad_() if v.is_floating_point() else v
                for k, v in params.items()}
        output, statistics = forward(leaves, kept), {}
        if isinstance(output, tuple):
            output, statistics = output
        self.metadata[name] = json.dumps(
            {"training": training, "attributes": attributes})
        put = lambda key, x: self.tensors.__setitem__(
            f"{name}/{key}",
            x.detach().float() if x.is_floating_point() else x.detach())
        for i, x in enumerate(inputs):
            put(f"input{i}", x)
        for key, x in params.items():
            put(f"param.{key}", x)
        put("output", output)
        for key, x in statistics.items():
            put(f"after.{key}", x)
        if not training:
            return
        if output_grad:
            grad = operand(*output.shape)
            put("output_grad", grad)
            output.backward(grad.double())
        else:
            output[0].backward()
        for i, x in enumerate(leaves):
            if x.is_floating_point() and (wants is None or i in wants):
                put(f"grad.input{i}", x.grad)
        for key, x in kept.items():
            if x.is_floating_point() and x.grad is not None:
                put(f"grad.{key}", x.grad)

    def save(self, op):
        folder = HERE / "ops"
        folder.mkdir(exist_ok=True)
        write_safetensors(folder / f"{op}.safetensors", self.tensors,
                          self.metadata)


def rounded(x):
    return x.bfloat16().float()


def operand(*shape, scale=1.0):
    return rounded(torch.randn(*shape) * scale)


# -- ops with parameters -----------------------------------------------------

def conv2d(cases):
    def add(name, n, c, h, w, out, kernel, stride=1, padding=0, dilation=1,
            groups=1, bias=True, relu=False):
        pair = lambda x: [x, x] if isinstance(x, int) else x
        kh, kw = pair(kernel)
        fan_in = c // groups * kh * kw
        params = {"weight": operand(out, c // groups, kh, kw,
                                    scale=fan_in ** -0.5)}
        if bias:
            params["bias"] = operand(out)

        def forward(x, p):
            y = F.conv2d(x[0], p["weight"], p.get("bias"), stride, padding,
                         dilation, groups)
            return F.relu(y) if relu else y

        settings = {"out_channels": out, "kernel": kernel, "stride": stride,
                    "padding": padding, "dilation": dilation,
                    "groups": groups, "bias": bias, "relu": relu}
        cases.add(name, settings, forward, [operand(n, c, h, w)], params)

    add("stem", 2, 3, 13, 11, 9, 7, stride=2, padding=3, bias=False)
    add("gray", 2, 1, 11, 11, 6, 5, padding=2)
    add("pointwise", 2, 16, 5, 7, 24, 1, bias=False)
    add("odd_channels", 2, 5, 7, 6, 7, 3, padding=1)
    add("three_by_three", 1, 16, 8, 8, 16, 3, padding=1, bias=False)
    add("groups_of_four", 2, 16, 7, 7, 16, 3, padding=1, groups=4, bias=False)
    add("groups_of_four_stride", 1, 32, 6, 6, 32, 3, stride=2, padding=1,
        groups=8, bias=False)
    add("groups_of_eight", 1, 16, 6, 5, 16, 3, padding=1, groups=2)
    add("odd_groups", 2, 6, 6, 5, 10, 3, padding=1, groups=2, relu=True)
    add("depthwise", 2, 12, 7, 7, 12, 3, stride=2, padding=1, groups=12)
    add("depthwise_relu", 1, 16, 9, 9, 16, 3, padding=1, groups=16, relu=True)
    add("depthwise_twice", 2, 4, 6, 6, 8, 3, padding=1, groups=4)
    add("dilated", 1, 8, 11, 9, 8, 3, padding=2, dilation=2)
    add("whole_image", 1, 8, 4, 5, 11, [4, 5])
    add("relu", 2, 8, 6, 6, 8, 3, padding=1, relu=True)
    add("rectangle", 2, 4, 7, 8, 8, [1, 3], stride=[2, 1], padding=[0, 1])
    add("downsample", 2, 16, 7, 7, 24, 1, stride=2, bias=False)
    add("one_pixel", 3, 10, 1, 1, 9, 1)
    add("one_by_seven", 2, 8, 5, 9, 24, [1, 7], padding=[0, 3], bias=False)
    add("seven_by_one", 2, 17, 9, 5, 12, [7, 1], padding=[3, 0], bias=False)
    add("depthwise_five", 2, 24, 9, 9, 24, 5, stride=2, padding=2, groups=24,
        bias=False)
    add("depthwise_seven", 2, 16, 9, 12, 16, 7, padding=3, groups=16,
        bias=False)
    add("depthwise_five_small", 2, 9, 2, 3, 9, 5, padding=2, groups=9,
        bias=False, relu=True)
    add("depthwise_odd", 2, 20, 7, 6, 20, 3, padding=1, groups=20, bias=False)


def linear(cases):
    def add(name, n, f, out, bias=True, relu=False, tokens=()):
        params = {"weight": operand(out, f, scale=f ** -0.5)}
        if bias:
            params["bias"] = operand(out)

        def forward(x, p):
            y = F.linear(x[0], p["weight"], p.get("bias"))
            return F.relu(y) if relu else y

        cases.add(name, {"out_features": out, "bias": bias, "relu": relu},
                  forward, [operand(n, *tokens, f)], params)

    add("even", 4, 32, 16)
    add("odd", 3, 17, 11)
    add("one_sample", 1, 50, 10)
    add("no_bias", 5, 24, 9, bias=False)
    add("relu", 6, 31, 13, relu=True)
    add("one_feature", 4, 1, 1)
    add("relu_no_bias", 2, 64, 40, bias=False, relu=True)
    add("tokens", 3, 24, 18, tokens=[5])
    add("tokens_relu", 2, 13, 7, relu=True, tokens=[3])
    add("one_token_no_bias", 4, 16, 10, bias=False, tokens=[1])


def batch_norm(cases):
    def add(name, n, c, h, w, training=True, relu=False, residual=False,
            eps=1e-5, momentum=0.1, relu6=False):
        params = {"weight": operand(c, scale=4.0 if relu6 else 1.0),
                  "bias": operand(c),
                  "running_mean": operand(c, scale=0.3),
                  "running_var": rounded(operand(c).abs() + 0.5),
                  "num_batches_tracked": torch.tensor(7)}

        def forward(x, p):
            mean = p["running_mean"].detach().clone()
            var = p["running_var"].detach().clone()
            y = F.batch_norm(x[0], mean, var, p["weight"], p["bias"],
                             training, momentum, eps)
            if residual:
                y = y + x[1]
            return (F.relu(y) if relu else F.relu6(y) if relu6 else y), {
                "running_mean": mean, "running_var": var,
                "num_batches_tracked": torch.tensor(8 if training else 7)}

        inputs = [rounded(operand(n, c, h, w) + 0.25)]
        if residual:
            inputs.append(operand(n, c, h, w))
        settings = {"relu": relu, "eps": eps, "momentum": momentum}
        if relu6:
            settings["relu6"] = True
        cases.add(name, settings,
                  forward, inputs, params, training=training)

    add("even", 2, 16, 6, 6)
    add("odd_channels", 3, 5, 7, 5)
    add("one_sample", 1, 11, 5, 4)
    add("one_pixel", 6, 9, 1, 1)
    add("relu", 2, 10, 5, 5, relu=True)
    add("relu_even", 2, 24, 4, 4, relu=True, eps=1e-3, momentum=0.3)
    add("residual", 2, 9, 5, 4, residual=True)
    add("residual_relu", 2, 16, 5, 5, residual=True, relu=True)
    add("residual_relu_odd", 3, 13, 4, 3, residual=True, relu=True)
    add("evaluation", 2, 16, 4, 4, training=False)
    add("evaluation_relu", 2, 7, 5, 3, training=False, relu=True)
    add("evaluation_residual_relu", 1, 12, 3, 5, training=False,
        residual=True, relu=True)
    add("relu6", 2, 24, 5, 5, relu6=True)
    add("relu6_odd", 3, 11, 4, 3, relu6=True)
    add("residual_relu6", 2, 13, 4, 4, residual=True, relu6=True)


# -- pooling -----------------------------------------------------------------

def max_pool(cases):
    def add(name, n, c, h, w, kernel, stride=None, padding=0, dilation=1,
            ceil_mode=False, values=None):
        settings = {"kernel": kernel, "padding": padding,
                    "dilation": dilation, "ceil_mode": ceil_mode}
        if stride is not None:
            settings["stride"] = stride
        x = operand(n, c, h, w) if values is None else values
        cases.add(name, settings, lambda x, p: F.max_pool2d(
            x[0], kernel, stride, padding, dilation, ceil_mode), [x])

    add("halves", 2, 8, 6, 6, 2)
    add("resnet", 2, 9, 11, 9, 3, 2, 1)
    add("alexnet", 1, 16, 7, 7, 3, 2)
    add("one_sample", 1, 3, 5, 8, 2, 1)
    add("ceil", 2, 5, 6, 7, 3, 2, ceil_mode=True)
    add("ceil_padded", 2, 5, 8, 7, 3, 2, 1, ceil_mode=True)
    add("dilated", 2, 6, 9, 9, 2, 2, 1, dilation=2)
    add("rectangle", 2, 7, 8, 6, [3, 2], [1, 2], [1, 0])
    add("ties", 1, 9, 8, 8, 3, 2, 1,
        values=torch.randint(0, 3, (1, 9, 8, 8)).float())
    add("negative", 1, 4, 5, 5, 3, 2, 1, values=rounded(-operand(1, 4, 5, 5).abs() - 1))
    add("ceil_small", 2, 5, 2, 3, 3, 2, ceil_mode=True)


def avg_pool(cases):
    def add(name, n, c, h, w, kernel, stride=None, padding=0, ceil_mode=False,
            count_include_pad=True):
        settings = {"kernel": kernel, "padding": padding,
                    "ceil_mode": ceil_mode,
                    "count_include_pad": count_include_pad}
        if stride is not None:
            settings["stride"] = stride
        cases.add(name, settings, lambda x, p: F.avg_pool2d(
            x[0], kernel, stride, padding, ceil_mode, count_include_pad),
            [operand(n, c, h, w)])

    add("halves", 2, 8, 6, 6, 2)
    add("padded", 2, 9, 7, 9, 3, 2, 1)
    add("padded_not_counted", 2, 9, 7, 8, 3, 2, 1, count_include_pad=False)
    add("one_sample", 1, 3, 5, 5, 2, 1)
    add("ceil", 2, 5, 6, 7, 3, 2, ceil_mode=True)
    add("ceil_padded", 2, 5, 8, 7, 3, 2, 1, ceil_mode=True)
    add("ceil_padded_not_counted", 1, 5, 8, 7, 3, 2, 1, ceil_mode=True,
        count_include_pad=False)
    add("rectangle", 2, 16, 6, 5, [3, 2], [2, 1], [1, 0])
    add("ceil_small", 2, 5, 2, 3, 3, 2, ceil_mode=True)
    add("inception", 2, 5, 6, 4, 3, 1, 1)


def global_avg_pool(cases):
    def add(name, *shape):
        cases.add(name, {}, lambda x, p: F.adaptive_avg_pool2d(x[0], 1),
                  [operand(*shape)])

    add("even", 2, 16, 4, 4)
    add("odd", 3, 5, 7, 3)
    add("one_sample", 1, 20, 7, 7)
    add("one_pixel", 2, 9, 1, 1)
    add("one_channel", 2, 1, 5, 6)
    add("row", 2, 8, 1, 9)


def adaptive_avg_pool(cases):
    def add(name, n, c, h, w, output):
        cases.add(name, {"output": output}, lambda x, p:
                  F.adaptive_avg_pool2d(x[0], output), [operand(n, c, h, w)])

    add("same", 2, 9, 7, 7, [7, 7])
    add("divides", 2, 8, 6, 6, [3, 3])
    add("overlaps", 2, 5, 7, 9, [3, 4])
    add("grows", 1, 6, 3, 2, [7, 7])
    add("mixed", 2, 16, 1, 13, [6, 6])
    add("one", 1, 11, 5, 4, [1, 1])
    add("rectangle", 2, 3, 8, 10, [5, 3])


# -- element by element, and moves -------------------------------------------

SHAPES = {"even": (2, 16, 4, 4), "odd": (3, 5, 5, 3), "one_sample":
          (1, 11, 4, 5), "one_pixel": (2, 9, 1, 1), "row": (4, 7),
          "long_row": (1, 33)}


def relu(cases):
    for name, shape in SHAPES.items():
        cases.add(name, {}, lambda x, p: F.relu(x[0]), [operand(*shape)])


def add(cases):
    for name, shape in SHAPES.items():
        for count in (2, 3):
            for with_relu in (False, True):
                def forward(x, p):
                    y = sum(x[1:], x[0])
                    return F.relu(y) if with_relu else y

                key = f"{name}_{count}" + ("_relu" if with_relu else "")
                cases.add(key, {"relu": with_relu}, forward,
                          [operand(*shape) for _ in range(count)])


def relu6(cases):
    for name, shape in SHAPES.items():
        x = operand(*shape, scale=4.0)
        x.view(-1)[:2] = torch.tensor([0.0, 6.0])  # the kinks: no gradient
        cases.add(name, {}, lambda x, p: F.relu6(x[0]), [x])


def local_response_norm(cases):
    def add(name, n, c, h, w, size, alpha=1e-4, beta=0.75, k=1.0, scale=1.0):
        cases.add(name, {"size": size, "alpha": alpha, "beta": beta, "k": k},
                  lambda x, p: F.local_response_norm(x[0], size, alpha, beta, k),
                  [operand(n, c, h, w, scale=scale)])

    add("paper", 2, 24, 3, 4, 5, alpha=5e-4, k=2.0, scale=20.0)
    add("strong", 2, 16, 4, 4, 5, alpha=1.0)
    add("odd", 3, 11, 5, 3, 3, alpha=0.5, k=0.5)
    add("even_window", 2, 9, 3, 3, 4, alpha=1.0)
    add("wider_than_channels", 1, 5, 4, 4, 9, alpha=2.0)
    add("own_channel", 2, 8, 3, 5, 1, alpha=1.0, beta=0.5)
    add("other_power", 1, 20, 2, 3, 7, alpha=1.0, beta=1.25, k=1.5)
    add("one_pixel", 4, 33, 1, 1, 5, alpha=1.0)


def identity(cases):
    for name, shape in SHAPES.items():
        cases.add(name, {}, lambda x, p: x[0] * 1, [operand(*shape)])


def dropout(cases):
    for name, shape in SHAPES.items():
        cases.add(name, {"p": 0.0}, lambda x, p: x[0] * 1, [operand(*shape)])
        cases.add(name + "_evaluation", {"p": 0.5}, lambda x, p: x[0] * 1,
                  [operand(*shape)], training=False)


def flatten(cases):
    for name, shape in {**SHAPES, "vgg": (1, 24, 7, 7)}.items():
        cases.add(name, {}, lambda x, p: torch.flatten(x[0], 1),
                  [operand(*shape)])


def concat(cases):
    def add(name, n, channels, *image):
        cases.add(name, {}, lambda x, p: torch.cat(x, 1),
                  [operand(n, c, *image) for c in channels])

    add("blocks", 2, [8, 16], 4, 4)
    add("odd", 2, [3, 5], 5, 4)
    add("three", 1, [8, 3, 9], 3, 3)
    add("odd_then_even", 2, [7, 8], 4, 3)
    add("four", 2, [1, 2, 3, 4], 3, 2)
    add("one_input", 2, [5], 3, 3)
    add("rows", 3, [5, 8, 2])
    add("one_pixel", 1, [16, 9], 1, 1)
    add("wide", 2, [24, 40, 16], 2, 3)


# -- tokens ------------------------------------------------------------------

def layer_norm(cases):
    def add(name, *shape, eps=1e-5):
        params = {"weight": operand(shape[-1]), "bias": operand(shape[-1])}
        cases.add(name, {"eps": eps}, lambda x, p: F.layer_norm(
            x[0], shape[-1:], p["weight"], p["bias"], eps),
            [rounded(operand(*shape) + 0.25)], params)

    add("even", 2, 5, 32)
    add("odd", 3, 4, 37)
    add("wide", 2, 3, 200, eps=1e-6)
    add("row", 6, 48)
    add("short_row", 4, 7, eps=1e-3)
    add("one_token", 2, 1, 16)
    add("one_sample", 1, 9, 64)
    add("many_rows", 4, 50, 24)


def gelu(cases):
    for form in ("none", "tanh"):
        for name, shape in {**SHAPES, "tokens": (2, 5, 12)}.items():
            cases.add(f"{name}_{form}", {"approximate": form}, lambda x, p:
                      F.gelu(x[0], approximate=form),
                      [operand(*shape, scale=1.5)])


def tokens(cases):
    def add(name, *shape):
        cases.add(name, {}, lambda x, p: x[0].flatten(2).transpose(1, 2),
                  [operand(*shape)])

    add("even", 2, 16, 3, 3)
    add("odd", 3, 5, 4, 2)
    add("blocks", 2, 40, 2, 3)
    add("one_sample", 1, 24, 5, 5)
    add("one_pixel", 4, 9, 1, 1)
    add("one_channel", 2, 1, 3, 4)


def class_token(cases):
    def add(name, n, t, c):
        cases.add(name, {}, lambda x, p: torch.cat(
            [p[""].expand(n, -1, -1), x[0]], 1),
            [operand(n, t, c)], {"": operand(1, 1, c)})

    add("even", 2, 4, 16)
    add("odd", 3, 5, 7)
    add("wide", 2, 2, 130)
    add("one_sample", 1, 9, 8)
    add("one_token", 4, 1, 5)
    add("one_feature", 2, 3, 1)


def position_embedding(cases):
    def add(name, n, t, c):
        cases.add(name, {}, lambda x, p: x[0] + p[""], [operand(n, t, c)],
                  {"": operand(1, t, c)})

    add("even", 2, 4, 16)
    add("odd", 3, 5, 7)
    add("wide", 2, 2, 130)
    add("one_sample", 1, 9, 8)
    add("one_token", 4, 1, 5)
    add("one_feature", 2, 3, 1)


def take_token(cases):
    def add(name, n, t, c, index=0):
        cases.add(name, {"index": index}, lambda x, p: x[0][:, index],
                  [operand(n, t, c)])

    add("even", 2, 4, 16)
    add("odd", 3, 5, 7)
    add("last", 3, 5, 9, index=4)
    add("middle", 2, 3, 8, index=1)
    add("one_sample", 1, 9, 8)
    add("one_token", 4, 1, 5)


def attention(cases):
    def add(name, n, t, heads, width, scale=1.0):
        def forward(x, p):
            q, k, v = x[0].view(n, t, 3, heads, width).permute(2, 0, 3, 1, 4)
            weights = torch.softmax(q @ k.mT * width ** -0.5, -1)
            return (weights @ v).transpose(1, 2).reshape(n, t, heads * width)

        cases.add(name, {"heads": heads}, forward,
                  [operand(n, t, 3 * heads * width, scale=scale)])

    add("even", 2, 8, 2, 16)
    add("odd", 3, 5, 3, 7)
    add("one_head", 2, 9, 1, 12)
    add("many_heads", 1, 6, 12, 4)
    add("vit", 1, 17, 2, 64)
    add("sharp", 2, 6, 2, 8, scale=3.0)
    add("one_token", 3, 1, 2, 5)
    add("one_number", 2, 4, 3, 1)


# -- the loss ----------------------------------------------------------------

def of_label(logits, labels):
    return logits.gather(1, labels.long().clamp(min=0)[:, None])


def softmax_loss(cases):
    def add(name, n, k, smoothing=0.0, ignored=(), scale=2.0, **more):
        labels = torch.randint(0, k, (n,), dtype=torch.int32)
        logits = operand(n, k, scale=scale)
        while ((logits == of_label(logits, labels)).sum(1) > 1).any():
            logits = operand(n, k, scale=scale)  # no ties: top-1, top-5
        for i in ignored:
            labels[i] = -1

        def forward(x, p):
            truth = x[1].long()
            counted = truth >= 0
            loss = F.cross_entropy(x[0], truth, ignore_index=-1,
                                   label_smoothing=smoothing)
            loss = loss * more.get("weight", 1)
            above = (x[0] > of_label(x[0], truth)).sum(1)
            top1, top5 = (((above < k) & counted).sum() for k in (1, 5))
            return torch.stack([loss, top1.double(), top5.double()])

        cases.add(name, {"label_smoothing": smoothing, **more}, forward,
                  [logits, labels], output_grad=False)

    add("ten", 8, 10)
    add("odd", 5, 13)
    add("smooth", 6, 10, smoothing=0.1)
    add("one_sample", 1, 10)
    add("ignored", 7, 11, ignored=[0, 3, 6])
    add("ignored_smooth", 6, 9, smoothing=0.1, ignored=[1])
    add("large_logits", 4, 12, scale=60.0)
    add("thousand", 3, 1000, smoothing=0.1)
    add("two_classes", 9, 2)
    add("weight", 6, 10, weight=0.3)
    add("auxiliary", 5, 7, smoothing=0.1, weight=0.4, auxiliary=True)


ALL = [conv2d, linear, batch_norm, max_pool, avg_pool, global_avg_pool,
       adaptive_avg_pool, relu, add, identity, dropout, flatten, concat,
       softmax_loss, layer_norm, gelu, tokens, class_token,
       position_embedding, take_token, attention,
       relu6, local_response_norm]


def main():
    wanted = sys.argv[1:] or [each.__name__ for each in ALL]
    for number, each in enumerate(ALL):
        if each.__name__ in wanted:
            torch.manual_seed(number)
            cases = Cases()
            each(cases)
            cases.save(each.__name__)


if __name__ == "__main__":
    main()
