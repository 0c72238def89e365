"""Trains a network of `model.py` on Tiny-ImageNet-200.

usage: python train.py TINY_IMAGENET_200 RUN_FOLDER [options]

The run folder receives `recipe.json`, `log.jsonl`, `checkpoint.pt` (every few minutes) and `averaged.safetensors` (the
weights to use, written at every evaluation). Started again on the same folder, training continues from the checkpoint
as if it had never stopped: everything random is drawn from the seed and the step's number.
"""

import argparse
import hashlib
import json
import math
import os
import signal
import subprocess
import time
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Callable

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

import augment
import data
import evaluate
import model as models

MOMENTUM = 0.9
CALIBRATION_BATCHES = 50
STEPS_PER_LOG = 200


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
    augmentation: augment.Augmentation = field(default_factory=augment.Augmentation)

    def size(self, progress: float) -> int:
        return self.sizes[min(int(progress * len(self.sizes)), len(self.sizes) - 1)]

    def rate_at(self, progress: float) -> float:
        if progress < self.warmup:
            return self.rate * (progress + 1e-4) / self.warmup
        return self.rate * 0.5 * (1 + math.cos(math.pi * (progress - self.warmup) / (1 - self.warmup)))


def generator(seed: int, purpose: int, number: int) -> torch.Generator:
    """Randomness that depends on nothing else."""
    return torch.Generator().manual_seed((seed * 4 + purpose) * 2**32 + number)


WEIGHTS, ORDER, VIEWS, CALIBRATION = range(4)


@dataclass(frozen=True)
class Start:
    """The weights of an earlier run, and the runs that led to them, oldest first."""

    tensors: dict[str, Tensor]
    history: list[dict[str, str]]
    digest: str

    @classmethod
    def read(cls, path: Path) -> "Start":
        """Of a file that this trainer or `export.py` wrote, or any with torchvision's and timm's names."""
        with safe_open(path, "pt") as file:
            tensors, metadata = {name: file.get_tensor(name).float() for name in file.keys()}, file.metadata() or {}
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        described = ("dataset", "epochs", "recipe", "commit", "top1", "top5")
        run = {"sha256": digest} | {name: metadata[name] for name in described if name in metadata}
        return cls(tensors, [*json.loads(metadata.get("history", "[]")), run], digest)

    def load_into(self, model: nn.Module) -> None:
        """Batch norm's step counters may be missing; every other tensor must be there, of the right shape."""
        wanted = model.state_dict()
        counters = {name: value for name, value in wanted.items() if name.endswith("num_batches_tracked")}
        given = counters | self.tensors
        wrong = [name for name in wanted.keys() | given.keys() if shape_of(wanted, name) != shape_of(given, name)]
        if wrong:
            name = min(wrong)
            found, expected = shape_of(given, name) or "nothing", shape_of(wanted, name) or "nothing"
            raise SystemExit(f"--start: {len(wrong)} tensors do not fit, {name} is {found}, wanted is {expected}")
        model.load_state_dict(given)


def shape_of(tensors: dict[str, Tensor], name: str) -> list[int] | None:
    return list(tensors[name].shape) if name in tensors else None


class Trainer:
    """A run's state: the model, its optimiser, the averaged weights and the number of steps done."""

    def __init__(
        self, recipe: Recipe, train: data.Split, classes: int, device: str, fast: bool, start: Start | None = None
    ):
        self.recipe, self.train, self.device = recipe, train, device
        self.model = models.build(recipe.width, classes, recipe.unit, recipe.kernels, recipe.reduction)
        models.initialise(self.model, generator(recipe.seed, WEIGHTS, 0))
        if start:
            start.load_into(self.model)
        self.history = start.history if start else []
        self.averaged = models.build(recipe.width, classes, recipe.unit, recipe.kernels, recipe.reduction)
        self.averaged.load_state_dict(self.model.state_dict())
        self.fast = fast
        layout = torch.contiguous_format if fast else torch.channels_last
        self.model.to(device, memory_format=layout)
        self.averaged.to(device, memory_format=layout)
        self.optimiser = torch.optim.SGD(self.groups(), lr=recipe.rate, momentum=MOMENTUM, nesterov=True)
        self.steps_per_epoch = len(train) // recipe.batch
        self.total = int(recipe.epochs * self.steps_per_epoch)
        self.step = 0
        self.order = None

    def groups(self) -> list[dict]:
        """Parameters by weight decay and factor of the learning rate."""
        groups: dict[tuple[bool, bool], list[Tensor]] = {}
        for name, parameter in self.model.named_parameters():
            decays = parameter.ndim == 2 or (parameter.ndim == 4 and parameter.shape[1] > 1)
            groups.setdefault((decays, ".fc_reduce." in name or ".fc_select." in name), []).append(parameter)
        return [
            {
                "params": parameters,
                "weight_decay": self.recipe.decay if decays else 0.0,
                "factor": self.recipe.attention_rate if attention else 1.0,
            }
            for (decays, attention), parameters in groups.items()
        ]

    def forward(self, model: nn.Module, images: Tensor) -> Tensor:
        """Logits in training mode."""
        model.train()
        if self.fast:
            from fast.forward import forward

            return forward(model, images)
        images = images.contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.device != "cpu"):
            return model(images).float()

    def batch(self) -> tuple[Tensor, Tensor]:
        """The next images and labels."""
        epoch, index = divmod(self.step, self.steps_per_epoch)
        if self.order is None or index == 0:
            self.order = torch.randperm(len(self.train), generator=generator(self.recipe.seed, ORDER, epoch))
        chosen = self.order[index * self.recipe.batch : (index + 1) * self.recipe.batch]
        return self.train.images[chosen].to(self.device), self.train.labels[chosen].to(self.device)

    def advance(self) -> tuple[float, float]:
        """One step of training; its loss and the share of its images that were recognised."""
        recipe, progress = self.recipe, self.step / self.total
        random = generator(recipe.seed, VIEWS, self.step)
        images, labels = self.batch()
        images = augment.augmented(images, recipe.size(progress), recipe.augmentation, random)
        other, share = None, 1.0
        if recipe.augmentation.mixup:
            images, other, share = augment.mixup(images, recipe.augmentation.mixup, random)
        logits = self.forward(self.model, images)
        loss = share * F.cross_entropy(logits, labels, label_smoothing=recipe.smoothing)
        if other is not None:
            loss = loss + (1 - share) * F.cross_entropy(logits, labels[other], label_smoothing=recipe.smoothing)
        self.optimiser.zero_grad()
        loss.backward()
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate_at(progress) * group["factor"]
        self.optimiser.step()
        self.step += 1
        with torch.no_grad():
            decay = min(recipe.averaging, self.step / (self.step + 10))
            for average, parameter in zip(self.averaged.parameters(), self.model.parameters()):
                average.lerp_(parameter, 1 - decay)
        return loss.item(), (logits.argmax(1) == labels).float().mean().item()

    def calibrate(self) -> None:
        """Gives the averaged weights their own batch norm statistics, over augmented images at the final size."""
        norms = [m for m in self.averaged.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        usual = [norm.momentum for norm in norms]
        random = generator(self.recipe.seed, CALIBRATION, 0)
        with torch.no_grad():
            for i in range(min(CALIBRATION_BATCHES, self.steps_per_epoch)):
                for norm in norms:
                    norm.momentum = 1 / (i + 1)
                chosen = torch.randint(len(self.train), (self.recipe.batch,), generator=random)
                images = self.train.images[chosen].to(self.device)
                views = augment.augmented(images, self.recipe.sizes[-1], self.recipe.augmentation, random)
                self.forward(self.averaged, views)
        for norm, momentum in zip(norms, usual):
            norm.momentum = momentum

    def state(self) -> dict:
        return {
            "recipe": asdict(self.recipe),
            "step": self.step,
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def restore(self, state: dict) -> None:
        if state["recipe"] != asdict(self.recipe):
            here = asdict(self.recipe)
            changed = {
                name: (value, here.get(name)) for name, value in state["recipe"].items() if value != here.get(name)
            }
            raise SystemExit(f"the run folder holds a run of another recipe (there, here): {changed}")
        self.step = state["step"]
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.order = None


def replace(path: Path, write: Callable[[Path], None]) -> None:
    """Writes a file beside `path` and then puts it in its place, so that `path` is always whole."""
    unfinished = path.with_name(path.name + ".part")
    write(unfinished)
    with open(unfinished, "rb") as file:
        os.fsync(file.fileno())
    os.replace(unfinished, path)


def commit() -> str:
    """The revision of the code that trains, marked if it was changed since; empty outside a repository."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    described = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True)
    return described.stdout.strip()


class Log:
    """One JSON object a line, printed too. Opening it drops what a stopped run did after its last checkpoint."""

    def __init__(self, path: Path, step: int):
        lines = path.read_text().splitlines() if path.exists() else []
        kept = [line for line in lines if line.endswith("}") and json.loads(line)["step"] <= step]
        replace(path, lambda to: to.write_text("".join(line + "\n" for line in kept)))
        self.file = open(path, "a", buffering=1)

    def write(self, **entry: object) -> None:
        line = json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in entry.items()})
        print(line, flush=True)
        self.file.write(line + "\n")


def run(trainer: Trainer, held: data.Split, dataset: data.Dataset, folder: Path, options: argparse.Namespace) -> None:
    """Trains to the end, or until SIGTERM or SIGINT, which leave a checkpoint."""
    recipe, checkpoint = trainer.recipe, folder / "checkpoint.pt"
    if checkpoint.exists():
        trainer.restore(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2) + "\n")
    log = Log(folder / "log.jsonl", trainer.step)
    if trainer.step == 0 and trainer.history:
        log.write(step=0, history=trainer.history)
    revision, stopping = commit(), []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.append(True))

    def save() -> None:
        replace(checkpoint, lambda to: torch.save(trainer.state(), to))

    def examine() -> None:
        trainer.calibrate()
        entry: dict[str, object] = {"step": trainer.step, "epoch": trainer.step / trainer.steps_per_epoch}
        if len(held):
            found = evaluate.accuracy(trainer.averaged, held, recipe.sizes[-1])
            entry |= {"held_out_top1": found.top1, "held_out_top5": found.top5, "held_out_loss": found.loss}
        log.write(**entry)
        metadata = {
            "recipe": json.dumps(asdict(recipe)),
            "epochs": f"{entry['epoch']:.2f}",
            "classes": json.dumps(dataset.classes),
            "labels": json.dumps(dataset.labels),
            "commit": revision,
            "history": json.dumps(trainer.history),
        }
        tensors = {name: value.cpu().contiguous() for name, value in trainer.averaged.state_dict().items()}
        replace(folder / "averaged.safetensors", lambda to: save_file(tensors, to, metadata))

    saved = began = time.monotonic()
    losses, hits, first = [], [], trainer.step
    while trainer.step < trainer.total and not stopping:
        loss, hit = trainer.advance()
        losses.append(loss)
        hits.append(hit)
        if trainer.step % options.log_every == 0 or trainer.step == trainer.total:
            speed = (trainer.step - first) * recipe.batch / (time.monotonic() - began)
            progress = (trainer.step - 1) / trainer.total
            log.write(
                step=trainer.step, epoch=trainer.step / trainer.steps_per_epoch, size=recipe.size(progress),
                rate=recipe.rate_at(progress), loss=sum(losses) / len(losses), top1=100 * sum(hits) / len(hits),
                images_per_second=speed,
            )  # fmt: skip
            losses, hits, first, began = [], [], trainer.step, time.monotonic()
            if not math.isfinite(loss):
                raise SystemExit("the loss is no longer finite; the last checkpoint is from before that")
        if trainer.step % (options.evaluate_every * trainer.steps_per_epoch) == 0 or trainer.step == trainer.total:
            examine()
            began = time.monotonic()
            first = trainer.step
        if time.monotonic() - saved > 60 * options.checkpoint_minutes or trainer.step == trainer.total:
            save()
            saved = time.monotonic()
    if stopping:
        save()


def parse() -> tuple[argparse.Namespace, Recipe, Start | None]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the dataset's folder, or the file of arrays made from it")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=Path, help="weights to start from instead of random ones")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--fast", action="store_true", help="the fused CPU kernels of fast/")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves PyTorch's choice")
    parser.add_argument("--checkpoint-minutes", type=float, default=5)
    parser.add_argument("--evaluate-every", type=int, default=5, help="epochs")
    parser.add_argument("--log-every", type=int, default=STEPS_PER_LOG, help="steps")
    defaults = Recipe()
    for holder in (defaults, defaults.augmentation):
        for entry in fields(holder):
            value = getattr(holder, entry.name)
            if isinstance(value, tuple):
                parser.add_argument(f"--{entry.name}", type=int, nargs="+", default=value)
            elif entry.name != "start" and not isinstance(value, augment.Augmentation):
                parser.add_argument(f"--{entry.name.replace('_', '-')}", type=type(value), default=value)
    options = parser.parse_args()
    start = Start.read(options.start) if options.start else None
    options.start = start.digest if start else ""
    given = lambda kind: {f.name: getattr(options, f.name) for f in fields(kind) if hasattr(options, f.name)}
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in given(Recipe).items()}
    recipe = Recipe(**values, augmentation=augment.Augmentation(**given(augment.Augmentation)))
    if options.fast and options.device != "cpu":
        parser.error("--fast computes on the CPU; leave it out on other devices")
    return options, recipe, start


def main() -> None:
    options, recipe, start = parse()
    if options.threads:
        torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    dataset = data.load(options.data)
    train, held = data.hold_out(dataset.train, recipe.held_out)
    trainer = Trainer(recipe, train, len(dataset.classes), options.device, options.fast, start)
    run(trainer, held, dataset, options.folder, options)


if __name__ == "__main__":
    main()
