import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A dataset of five classes of coloured noise, twelve training images and two validation images each."""
    import data

    random = torch.Generator().manual_seed(0)
    colours = torch.rand(5, 3, 1, 1, generator=random) * 200

    def split(count):
        labels = torch.arange(5).repeat(count)
        noise = torch.rand(len(labels), 3, 64, 64, generator=random) * 55
        return data.Split((colours[labels] + noise).to(torch.uint8), labels)

    path = tmp_path_factory.mktemp("data") / "cache.safetensors"
    names = [f"n{i}" for i in range(5)]
    data.save(data.Dataset(split(12), split(2), names, names), path)
    return path
