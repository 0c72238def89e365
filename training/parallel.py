"""Training by several processes that share every batch, one per core or device."""

import tempfile
from pathlib import Path
from typing import Callable

import torch
from torch import Tensor, distributed, multiprocessing


class Workers:
    """The processes of one run, of which this is number `rank` of `count`. Number 0 writes the files."""

    def __init__(self, rank: int = 0, count: int = 1):
        self.rank, self.count = rank, count

    def share(self, chosen: Tensor) -> Tensor:
        """This process's part of a batch."""
        return chosen[self.rank :: self.count]

    def agree(self, parameters: list[Tensor], stop: bool) -> bool:
        """Replaces gradients by their mean over the processes; whether any of them was asked to stop."""
        if self.count == 1:
            return stop
        gradients = [parameter.grad for parameter in parameters]
        flag = gradients[0].new_tensor([float(stop)])
        flat = torch.cat([flag, *(gradient.flatten() for gradient in gradients)])
        distributed.all_reduce(flat)
        means = (flat[1:] / self.count).split([gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means):
            gradient.copy_(mean.view_as(gradient))
        return flat[0].item() > 0


def _join(work: Callable, rank: int, count: int, meeting: str, arguments: tuple) -> None:
    distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=count)
    work(Workers(rank, count), *arguments)
    distributed.destroy_process_group()


def launch(work: Callable, count: int, *arguments: object) -> None:
    """Calls `work(workers, *arguments)` in `count` processes, of which this one is number 0.

    `work` is a module's function and the arguments can be pickled. The others end when this one does.
    """
    if count == 1:
        return work(Workers(), *arguments)
    with tempfile.TemporaryDirectory() as folder:
        meeting, context = str(Path(folder) / "meeting"), multiprocessing.get_context("spawn")
        others = [
            context.Process(target=_join, args=(work, rank, count, meeting, arguments), daemon=True)
            for rank in range(1, count)
        ]
        for other in others:
            other.start()
        _join(work, 0, count, meeting, arguments)
        for other in others:
            other.join()
