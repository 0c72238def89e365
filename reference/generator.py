"""Counter-based tensors: value i of a tensor depends on its name and i alone. README.md defines it; the Rust twin is
src/weights/generated.rs."""

import math

import numpy as np

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15

# Batch norms that end a residual branch or sit inside an attention.
DAMPED = (".conv3.bn.weight", ".conv2.bn.weight", ".bn3.weight", ".attn.bn.weight")


def key(name: str) -> int:
    """FNV-1a, 64 bits, of the name's UTF-8 bytes."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def bits(name: str, counters: np.ndarray) -> np.ndarray:
    """64 random bits per counter: splitmix64 seeded with the name's key."""
    with np.errstate(over="ignore"):
        z = np.uint64(key(name)) + (counters.astype(np.uint64) + np.uint64(1)) * np.uint64(GOLDEN)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def uniform(name: str, counters: np.ndarray) -> np.ndarray:
    """Multiples of 2^-23 in [-1, 1), exact in float32 and float64."""
    return (bits(name, counters) >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1.0


def distribution(name: str, shape: tuple[int, ...]) -> tuple[float, float]:
    """(centre, half-width) of the uniform distribution for a parameter; the first matching row of README's table."""
    if name.endswith("running_mean"):
        return 0.0, 0.1
    if name.endswith("running_var"):
        return 1.0, 0.5
    if name.endswith("bias"):
        return 0.0, 2.0 if name.endswith(".attn.bn.bias") else 0.5
    if name.endswith("weight") and len(shape) == 1:
        return (0.3, 0.1) if name.endswith(DAMPED) else (1.0, 0.2)
    if name.endswith("fc_select.weight"):
        return 0.0, math.sqrt(1.5 / math.prod(shape[1:]))
    if name.endswith("weight"):
        return 0.0, math.sqrt(6.0 / math.prod(shape[1:]))
    return 0.0, 2.0


def fill(name: str, shape) -> np.ndarray:
    """The float32 tensor `name` of `shape`."""
    shape = tuple(shape)
    centre, half_width = distribution(name, shape)
    u = uniform(name, np.arange(math.prod(shape)))
    return (centre + half_width * u).astype(np.float32).reshape(shape)


def sample_indices(name: str, length: int, count: int) -> np.ndarray:
    """`count` indices below `length`, drawn with the bits of `name`."""
    return (bits(name, np.arange(count)) % np.uint64(length)).astype(np.int64)


# The first two values and the last; the same literals are in the Rust twin's tests.
PINNED = [
    ("input", (1, 3, 5, 7), [-1.6087267, 0.6094415, 0.36671376]),
    ("conv1.weight", (64, 3, 7, 7), [0.018213026, 0.09906029, -0.121325]),
    ("layer1.0.conv3.bn.weight", (256,), [0.3494896, 0.27498698, 0.38492072]),
    ("bn1.weight", (64,), [0.9440816, 1.1297636, 0.993805]),
    ("bn1.running_mean", (64,), [0.046889983, 0.020123731, -0.07152025]),
    ("bn1.running_var", (64,), [1.1423075, 1.2867534, 1.2562807]),
    ("fc.bias", (1000,), [-0.022348702, -0.019268215, -0.16809487]),
    ("fc.weight", (200, 1024), [-0.0023506247, 0.056991916, -0.018078497]),
    ("layer4.2.conv2.attn.bn.bias", (64,), [-0.7669029, -0.20607495, 1.7902074]),
    ("layer4.2.conv2.attn.fc_select.weight", (2048, 64, 1, 1), [0.050879404, -0.045927323, 0.05424582]),
]
PINNED_INDICES = [143064, 190477, 166529, 72186]


def check_pinned() -> None:
    """Asserts that this generator yields the values that the goldens and the Rust twin are built on."""
    for name, shape, expected in PINNED:
        values = fill(name, shape).ravel()
        found = [values[0], values[1], values[-1]]
        assert found == [np.float32(v) for v in expected], f"{name}: {found}, expected {expected}"
    assert sample_indices("maxpool", 200_704, 4).tolist() == PINNED_INDICES
