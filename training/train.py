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
import signal
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F

import augment
import data
import evaluate
import model as models
from parallel import Workers, launch
from recipe import Recipe
from record import Log, commit, replace

MOMENTUM = 0.9
CALIBRATION_BATCHES = 50
STEPS_PER_LOG = 200
CHECKPOINT = "checkpoint.pt"


def generator(seed: int, purpose: int, number: int) -> torch.Generator:
    """Randomness that depends on nothing else. Hashed, because the generator takes no more than 32 bits of a seed."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{number}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:4]))


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
        self,
        recipe: Recipe,
        train: data.Split,
        classes: int,
        device: str,
        fast: bool,
        start: Start | None = None,
        workers: Workers = Workers(),
    ):
        self.recipe, self.train, self.device, self.workers = recipe, train, device, workers
        self.model = models.build(recipe.width, classes, recipe.unit, recipe.kernels, recipe.reduction)
        models.initialise(self.model, generator(recipe.seed, WEIGHTS, 0), recipe.attention_scale)
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
        """This process's part of the next images and labels."""
        epoch, index = divmod(self.step, self.steps_per_epoch)
        if self.order is None or index == 0:
            self.order = torch.randperm(len(self.train), generator=generator(self.recipe.seed, ORDER, epoch))
        chosen = self.workers.share(self.order[index * self.recipe.batch : (index + 1) * self.recipe.batch])
        return self.train.images[chosen].to(self.device), self.train.labels[chosen].to(self.device)

    def advance(self, stop: bool = False) -> tuple[float, float, bool]:
        """One step of training: its loss, the share of its images that were recognised, whether any process is to stop."""
        recipe, progress = self.recipe, self.step / self.total
        random = generator(recipe.seed, VIEWS, self.step * self.workers.count + self.workers.rank)
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
        stop = self.workers.agree(list(self.model.parameters()), stop)
        for group in self.optimiser.param_groups:
            group["lr"] = recipe.rate_at(progress) * group["factor"]
        self.optimiser.step()
        self.step += 1
        with torch.no_grad():
            decay = min(recipe.averaging, self.step / (self.step + 10))
            for average, parameter in zip(self.averaged.parameters(), self.model.parameters()):
                average.lerp_(parameter, 1 - decay)
        return loss.item(), (logits.argmax(1) == labels).float().mean().item(), stop

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


class Record:
    """The files of a run's folder."""

    def __init__(self, trainer: Trainer, held: data.Split, dataset: data.Dataset, folder: Path):
        self.trainer, self.held, self.dataset, self.folder = trainer, held, dataset, folder
        self.revision = commit()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recipe.json").write_text(json.dumps(asdict(trainer.recipe), indent=2) + "\n")
        self.log = Log(folder / "log.jsonl", trainer.step)
        if trainer.step == 0 and (trainer.history or trainer.workers.count > 1):
            self.log.write(step=0, history=trainer.history, processes=trainer.workers.count)

    def checkpoint(self) -> None:
        replace(self.folder / CHECKPOINT, lambda to: torch.save(self.trainer.state(), to))

    def progress(self, losses: list[float], hits: list[float], seconds: float) -> None:
        """Logs the mean of the last steps."""
        trainer, recipe = self.trainer, self.trainer.recipe
        progress = (trainer.step - 1) / trainer.total
        self.log.write(
            step=trainer.step, epoch=trainer.step / trainer.steps_per_epoch, size=recipe.size(progress),
            rate=recipe.rate_at(progress), loss=sum(losses) / len(losses), top1=100 * sum(hits) / len(hits),
            images_per_second=len(losses) * recipe.batch / seconds,
        )  # fmt: skip

    def weights(self) -> None:
        """Writes the averaged weights and logs their accuracy on the images held out."""
        trainer, recipe = self.trainer, self.trainer.recipe
        trainer.calibrate()
        entry: dict[str, object] = {"step": trainer.step, "epoch": trainer.step / trainer.steps_per_epoch}
        if len(self.held):
            found = evaluate.accuracy(trainer.averaged, self.held, recipe.sizes[-1])
            entry |= {"held_out_top1": found.top1, "held_out_top5": found.top5, "held_out_loss": found.loss}
        self.log.write(**entry)
        metadata = {
            "recipe": json.dumps(asdict(recipe)),
            "epochs": f"{entry['epoch']:.2f}",
            "classes": json.dumps(self.dataset.classes),
            "labels": json.dumps(self.dataset.labels),
            "commit": self.revision,
            "history": json.dumps(trainer.history),
        }
        tensors = {name: value.cpu().contiguous() for name, value in trainer.averaged.state_dict().items()}
        replace(self.folder / "averaged.safetensors", lambda to: save_file(tensors, to, metadata))


def run(trainer: Trainer, record: Record | None, options: argparse.Namespace) -> None:
    """Trains to the end, or until SIGTERM or SIGINT, which leave a checkpoint."""
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.append(number))
    saved = began = time.monotonic()
    losses, hits, stop = [], [], False
    while trainer.step < trainer.total and not stop:
        loss, hit, stop = trainer.advance(bool(asked))
        if not math.isfinite(loss):
            raise SystemExit("the loss is no longer finite; the last checkpoint is from before that")
        if record is None:
            continue
        losses.append(loss)
        hits.append(hit)
        last = trainer.step == trainer.total
        if trainer.step % options.log_every == 0 or last:
            record.progress(losses, hits, time.monotonic() - began)
            losses, hits, began = [], [], time.monotonic()
        if trainer.step % (options.evaluate_every * trainer.steps_per_epoch) == 0 or last:
            record.weights()
            losses, hits, began = [], [], time.monotonic()
        if time.monotonic() - saved > 60 * options.checkpoint_minutes or last or stop:
            record.checkpoint()
            saved = time.monotonic()


def parse() -> tuple[argparse.Namespace, Recipe, Start | None]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the dataset's folder, or the file of arrays made from it")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--start", type=Path, help="weights to start from instead of random ones")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--fast", action="store_true", help="the fused CPU kernels of fast/")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0 leaves PyTorch's choice")
    parser.add_argument("--processes", type=int, default=1, help="that share every batch, one per core")
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
    if options.processes > 1 and options.device != "cpu":
        parser.error("--processes shares the cores of a CPU; leave it out on other devices")
    if recipe.batch % options.processes:
        parser.error(f"{options.processes} processes cannot share a batch of {recipe.batch} equally")
    if options.fast and options.device != "cpu":
        parser.error("--fast computes on the CPU; leave it out on other devices")
    return options, recipe, start


def work(workers: Workers, options: argparse.Namespace, recipe: Recipe, start: Start | None) -> None:
    """The run, in one of its processes."""
    if options.threads:
        torch.set_num_threads(options.threads)
    dataset = data.load(options.data)
    train, held = data.hold_out(dataset.train, recipe.held_out)
    classes = len(dataset.classes)
    trainer = Trainer(recipe, train, classes, options.device, options.fast, start, workers)
    if (checkpoint := options.folder / CHECKPOINT).exists():
        trainer.restore(torch.load(checkpoint, map_location=trainer.device, weights_only=True))
    run(trainer, Record(trainer, held, dataset, options.folder) if workers.rank == 0 else None, options)


def main() -> None:
    options, recipe, start = parse()
    data.load(options.data)
    launch(work, options.processes, options, recipe, start)


if __name__ == "__main__":
    main()
