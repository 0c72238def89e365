"""The training forward pass of a ShuffleNetV2 of `model.py` with fused CPU kernels.

`forward(model, x)` computes `model.train()(x)` on the model's own parameters, moves its running statistics, and
supports `backward`. Activations are kept as [images, height, width, channels padded to eight], f32.
"""

import ctypes

import torch
from timm.layers import SelectiveKernel
from timm.layers.selective_kernel import SelectiveKernelAttn
from timm.layers.squeeze_excite import SEModule
from torch import Tensor, nn
from torch.nn import functional as F

from fast.build import library
from model import BranchSum, SqueezeExcite

LANES = 8
kernels = library()
real = ctypes.c_float


def forward(model: nn.Module, x: Tensor) -> Tensor:
    """Logits [N, classes] of x [N, 3, H, W], batch norm in training mode."""
    images = x.shape[0]
    x, half = stem(model, x), None
    for stage in (model.stage2, model.stage3, model.stage4):
        for i, block in enumerate(stage):
            last = i == len(stage) - 1
            shortcut = shortcut_branch(block, x) if block.stride > 1 else x
            inner = unit(block.branch2, pointwise(x if block.stride > 1 else half, block.branch2[0:2]))
            x, half = pointwise_shuffle(inner, block.branch2[5:7], shortcut, split=not last)
    x = pointwise(x, model.conv5[0:2])
    return model.fc(x.view(images, -1, model.conv5[0].out_channels).mean(1))


def stem(model: nn.Module, x: Tensor) -> Tensor:
    kernels.set_threads(torch.get_num_threads())
    n, _, height, width = x.shape
    rows, columns = (height + 1) // 2, (width + 1) // 2
    x = x.contiguous()
    patches = torch.empty(n, rows, columns, 32)
    kernels.patches(pointer(x), pointer(patches), *integers(n, height, width))
    conv, norm = model.conv1[0:2]
    return PointwisePool.apply(patches, conv.weight.flatten(1), norm.weight, norm.bias, norm)


def shortcut_branch(block: nn.Module, x: Tensor) -> Tensor:
    depthwise, norm, *rest = block.branch1[0:4]
    return pointwise(branches(x, [(depthwise, norm)], relu=False, attention=None), rest)


def unit(branch2: nn.Sequential, x: Tensor) -> Tensor:
    """The depthwise part of the main branch."""
    inner = branch2[3]
    if isinstance(inner, SelectiveKernel):
        paths = [(path.conv, path.bn) for path in inner.paths]
        return branches(x, paths, relu=True, attention=lambda pooled: selective_attention(inner.attn, pooled))
    if isinstance(inner, BranchSum):
        return branches(x, [(path.conv, path.bn) for path in inner.paths], relu=True, attention=None)
    if isinstance(inner, SqueezeExcite):
        path = [(inner.path.conv, inner.path.bn)]
        return branches(x, path, relu=True, attention=lambda pooled: excitation(inner.gate, pooled))
    return branches(x, [(inner, branch2[4])], relu=False, attention=None)


def selective_attention(attn: SelectiveKernelAttn, pooled: Tensor) -> Tensor:
    """timm's attention, its 1×1 convolutions as matrix products, which cost a fifth of the time on vectors."""
    reduced = F.linear(pooled.sum(1), attn.fc_reduce.weight.flatten(1))
    reduced = attn.act(attn.bn(reduced[..., None, None])).flatten(1)
    return F.linear(reduced, attn.fc_select.weight.flatten(1)).view(pooled.shape).softmax(1)


def excitation(module: SEModule, pooled: Tensor) -> Tensor:
    """timm's squeeze-and-excitation gate of the one branch."""
    reduced = module.act(module.bn(module.fc1(pooled[:, 0, :, None, None])))
    return module.gate(module.fc2(reduced)).flatten(1)[:, None]


def pointwise(x: Tensor, layers) -> Tensor:
    conv, norm = layers
    return Pointwise.apply(x, conv.weight.flatten(1), norm.weight, norm.bias, norm)


def pointwise_shuffle(x: Tensor, layers, shortcut: Tensor, split: bool) -> tuple[Tensor, Tensor | None]:
    """1×1 convolution, joined with the shortcut by the channel shuffle: its two halves, or all of it and None."""
    conv, norm = layers
    made = PointwiseShuffle.apply(x, conv.weight.flatten(1), norm.weight, norm.bias, norm, shortcut, split)
    return made if split else (made, None)


def branches(x: Tensor, layers: list[tuple[nn.Conv2d, nn.BatchNorm2d]], relu: bool, attention) -> Tensor:
    """Σ attention · branch(x). `attention` maps the pooled branches [N, M, C] to weights of that shape."""
    parameters = [t for conv, norm in layers for t in (conv.weight, norm.weight, norm.bias)]
    run = BranchesRun(x, layers, relu, pooled=attention is not None)
    pooled = Branches.apply(run, x, *parameters)
    weights = attention(pooled) if attention is not None else None
    return Select.apply(run, pooled, weights)


def pointer(tensor: Tensor | None) -> ctypes.c_void_p:
    return ctypes.c_void_p(tensor.data_ptr() if tensor is not None else None)


def integers(*values: int) -> list[ctypes.c_int64]:
    return [ctypes.c_int64(value) for value in values]


def pointers(tensors: list[Tensor]) -> ctypes.Array:
    return (ctypes.c_void_p * len(tensors))(*(t.data_ptr() for t in tensors))


def padded(channels: int) -> int:
    return -(-channels // LANES) * LANES


def convolve(
    ctx, x: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor, norm: nn.BatchNorm2d
) -> tuple[Tensor, Tensor]:
    """Convolution and statistics; saves what `convolve_backward` needs."""
    out, into = weight.shape
    u, state = torch.empty(*x.shape[:3], padded(out)), torch.empty(4, padded(out))
    kernels.pointwise_forward(
        *map(pointer, (x, weight, gamma, beta, norm.running_mean, norm.running_var, u, state)),
        *integers(x.shape[:3].numel(), into, out), real(norm.momentum), real(norm.eps),
    )  # fmt: skip
    norm.num_batches_tracked += 1
    ctx.save_for_backward(x, weight, u, state)
    return u, state


def convolve_backward(ctx, dy: Tensor) -> tuple[Tensor | None, Tensor, Tensor, Tensor, None]:
    x, weight, u, state = ctx.saved_tensors
    out, into = weight.shape
    dx = torch.empty_like(x) if ctx.needs_input_grad[0] else None
    gradients = torch.empty_like(weight), torch.empty(out), torch.empty(out)
    kernels.pointwise_backward(
        *map(pointer, (dy, x, u, weight, state, dx, *gradients)), *integers(x.shape[:3].numel(), into, out)
    )
    return dx, *gradients, None


class Pointwise(torch.autograd.Function):
    """relu(norm(x · weightᵀ))."""

    @staticmethod
    def forward(ctx, x, weight, gamma, beta, norm):
        u, state = convolve(ctx, x, weight, gamma, beta, norm)
        y = torch.empty_like(u)
        kernels.activate(*map(pointer, (u, state, y)), *integers(u.shape[:3].numel(), len(weight)))
        return y

    @staticmethod
    def backward(ctx, dy):
        return convolve_backward(ctx, dy.contiguous())


class PointwiseShuffle(torch.autograd.Function):
    """The same, its channels alternating with the shortcut's."""

    @staticmethod
    def forward(ctx, x, weight, gamma, beta, norm, shortcut, split):
        u, state = convolve(ctx, x, weight, gamma, beta, norm)
        half, ctx.split = len(weight), split
        if split:
            made = torch.empty_like(u), torch.empty_like(u)
        else:
            made = torch.empty(*u.shape[:3], padded(2 * half)), None
        kernels.activate_shuffle(*map(pointer, (shortcut, u, state, *made)), *integers(u.shape[:3].numel(), half))
        return made if split else made[0]

    @staticmethod
    def backward(ctx, first, second=None):
        _, weight, u, _ = ctx.saved_tensors
        first, second = first.contiguous(), second.contiguous() if ctx.split else None
        shortcut, active = torch.empty_like(u), torch.empty_like(u)
        sizes = integers(u.shape[:3].numel(), len(weight))
        kernels.unshuffle(*map(pointer, (first, second, shortcut, active)), *sizes)
        return *convolve_backward(ctx, active), shortcut, None


class PointwisePool(torch.autograd.Function):
    """The same, followed by a 3×3 max pool of stride 2."""

    @staticmethod
    def forward(ctx, x, weight, gamma, beta, norm):
        u, state = convolve(ctx, x, weight, gamma, beta, norm)
        n, height, width, stored = u.shape
        y = torch.empty(n, (height + 1) // 2, (width + 1) // 2, stored)
        ctx.choice = torch.empty(y.shape, dtype=torch.uint8)
        kernels.activate_pool(*map(pointer, (u, state, y, ctx.choice)), *integers(n, height, width, len(weight)))
        return y

    @staticmethod
    def backward(ctx, dy):
        u = ctx.saved_tensors[2]
        n, height, width, stored = u.shape
        active = torch.empty_like(u)
        kernels.unpool(*map(pointer, (dy.contiguous(), ctx.choice, active)), *integers(n, height, width, stored))
        return convolve_backward(ctx, active)


class BranchesRun:
    """What the two halves of a depthwise unit, before and after its attention, know of each other.

    Backward visits `Select` first, which leaves `dy` and its reductions here for `Branches`.
    """

    def __init__(self, x: Tensor, layers: list[tuple[nn.Conv2d, nn.BatchNorm2d]], relu: bool, pooled: bool):
        conv = layers[0][0]
        self.layers, self.relu, self.pooled = layers, ctypes.c_int(relu), pooled
        n, height, width, self.stored = x.shape
        self.channels, stride = conv.out_channels, conv.stride[0]
        self.rows, self.columns = (height - 1) // stride + 1, (width - 1) // stride + 1
        sizes = n, height, width, self.channels, stride, len(layers), *(conv.dilation[0] for conv, _ in layers)
        self.sizes = (ctypes.c_int64 * len(sizes))(*sizes)
        self.reduced = n, len(layers), self.stored
        self.u = self.state = self.weights = self.count = self.sum = self.attention = self.dy = self.reductions = None

    def pad(self, x: Tensor | None) -> Tensor | None:
        return F.pad(x, (0, self.stored - self.channels)).contiguous() if x is not None else None


class Branches(torch.autograd.Function):
    """Depthwise convolutions and statistics; returns the branches' global averages [N, M, C]."""

    @staticmethod
    def forward(ctx, run, x, *parameters):
        n, m, _ = run.reduced
        run.weights, affine = list(parameters[::3]), [t for i, t in enumerate(parameters) if i % 3]
        running = [t for _, norm in run.layers for t in (norm.running_mean, norm.running_var)]
        run.u = torch.empty(m, n, run.rows, run.columns, run.stored)
        run.state = torch.empty(m, 4, run.stored)
        norm = run.layers[0][1]
        kernels.branches_forward(
            run.sizes, pointer(x), pointers(run.weights), pointers(affine), pointers(running),
            pointer(run.u), pointer(run.state), real(norm.momentum), real(norm.eps),
        )  # fmt: skip
        for _, norm in run.layers:
            norm.num_batches_tracked += 1
        ctx.run = run
        ctx.save_for_backward(x)
        if not run.pooled:
            return torch.zeros(n, m, run.channels)
        run.count, run.sum = torch.empty(run.reduced), torch.empty(run.reduced)
        kernels.branches_pool(run.sizes, *map(pointer, (run.u, run.state, run.count, run.sum)), run.relu)
        pooled = (run.state[:, 2] * run.sum + run.state[:, 3] * run.count) / (run.rows * run.columns)
        return pooled[..., : run.channels]

    @staticmethod
    def backward(ctx, pooled_gradient):
        run, (x,) = ctx.run, ctx.saved_tensors
        _, m, _ = run.reduced
        through_pool = run.pad(pooled_gradient / (run.rows * run.columns)) if run.pooled else None
        dx, dw, affine = torch.empty_like(x), torch.empty(m, run.channels, 9), torch.empty(m, 2, run.channels)
        kernels.branches_backward(
            run.sizes, *map(pointer, (run.dy, x, run.u, run.state)), pointers(run.weights),
            *map(pointer, (run.attention, through_pool, run.count, run.sum, *run.reductions, dx, dw, affine)),
            run.relu,
        )  # fmt: skip
        run.dy = run.u = run.reductions = None
        gradients = [g for b in range(m) for g in (dw[b].view(-1, 1, 3, 3), affine[b, 0], affine[b, 1])]
        return None, dx, *gradients


class Select(torch.autograd.Function):
    """The branches' activations, weighted and summed."""

    @staticmethod
    def forward(ctx, run, pooled, attention):
        n = run.reduced[0]
        run.attention = run.pad(attention)
        y = torch.empty(n, run.rows, run.columns, run.stored)
        kernels.branches_select(run.sizes, *map(pointer, (run.u, run.state, run.attention, y)), run.relu)
        ctx.run = run
        return y

    @staticmethod
    def backward(ctx, dy):
        run = ctx.run
        run.dy = dy.contiguous()
        run.reductions = torch.empty(run.reduced), torch.empty(run.reduced)
        kernels.branches_reduce(run.sizes, *map(pointer, (run.dy, run.u, run.state, *run.reductions)), run.relu)
        n, m, _ = run.reduced
        total, product = run.reductions
        gradient = (run.state[:, 2] * product + run.state[:, 3] * total)[..., : run.channels]
        return None, torch.zeros(n, m, run.channels), gradient if run.attention is not None else None
