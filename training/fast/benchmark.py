"""Training throughput, plain against fused, on one thread.

usage: python -m fast.benchmark [--sizes 80 96 112] [--batch 64] [--seconds 5] [--skip-plain] [--profile]
"""

import argparse
import time

import torch
from torch.nn import functional as F

import fast.forward as fast
import model as models


def rate(run, network, size: int, batch: int, seconds: float) -> tuple[float, float]:
    """Images a second of forward and backward: by the wall clock, and by this process's CPU time."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(batch, 3, size, size, generator=generator)
    labels = torch.randint(200, (batch,), generator=generator)

    def step() -> None:
        network.zero_grad()
        F.cross_entropy(run(images), labels).backward()

    step()
    wall, cpu, steps = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < seconds:
        step()
        steps += 1
    return batch * steps / (time.perf_counter() - wall), batch * steps / (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[80, 96, 112])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--skip-plain", action="store_true")
    parser.add_argument("--profile", action="store_true", help="print where one fused step spends its time")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = models.build()
    models.initialise(network, torch.Generator().manual_seed(0))
    network.train()
    runs = {"fused": lambda x: fast.forward(network, x)}
    if not options.skip_plain:
        runs["plain"] = network
        runs["plain, channels last"] = lambda x: network(x.contiguous(memory_format=torch.channels_last))
    for name, run in runs.items():
        network.to(memory_format=torch.channels_last if name.endswith("last") else torch.contiguous_format)
        for size in options.sizes:
            wall, cpu = rate(run, network, size, options.batch, options.seconds)
            print(f"{name}, {size} px, batch {options.batch}: {wall:.0f} img/s, {cpu:.0f} per CPU second", flush=True)
    if options.profile:
        network.to(memory_format=torch.contiguous_format)
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
            rate(runs["fused"], network, options.sizes[0], options.batch, 1)
        print(profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=20))


if __name__ == "__main__":
    main()
