"""What decides the result of a training run."""

import math
from dataclasses import dataclass, field

from augment import Augmentation


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, apart from the arithmetic of the machine."""

    width: float = 1.0
    unit: str = "sk"
    kernels: tuple[int, ...] = (3, 5)
    reduction: int = 16
    seed: int = 0
    epochs: float = 75
    batch: int = 64
    rate: float = 0.1
    """Peak learning rate."""
    attention_rate: float = 1.0
    """Factor on the learning rate of the attention's two fully connected layers."""
    attention_scale: float = 1.0
    """Factor on the initial deviation of `fc_select`."""
    warmup: float = 0.02
    """Share of the run in which the learning rate rises; then it falls as a cosine."""
    decay: float = 2e-4
    """Weight decay of all weights but depthwise ones, biases and batch norm's."""
    smoothing: float = 0.1
    averaging: float = 0.9995
    """Decay of the exponential average of the weights."""
    sizes: tuple[int, ...] = (80, 96, 112)
    """Image sizes, each for an equal share of the run."""
    held_out: int = 25
    """Training images of each class that are kept for choices."""
    start: str = ""
    """SHA-256 of the weights file that the run starts from; empty for random weights."""
    augmentation: Augmentation = field(default_factory=Augmentation)

    def size(self, progress: float) -> int:
        return self.sizes[min(int(progress * len(self.sizes)), len(self.sizes) - 1)]

    def rate_at(self, progress: float) -> float:
        if progress < self.warmup:
            return self.rate * (progress + 1e-4) / self.warmup
        return self.rate * 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))
