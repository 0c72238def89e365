"""Writing of golden files: float64 results stored as float32, with one JSON document as metadata."""

import json
from pathlib import Path

import numpy as np
import safetensors
import timm
import torch
import torchvision
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests" / "goldens"


def versions() -> dict[str, str]:
    """The libraries that decide the numbers."""
    modules = (torch, torchvision, timm, np, safetensors)
    return {m.__name__: m.__version__.split("+")[0] for m in modules}


def write(name: str, tensors: dict[str, torch.Tensor], description: dict) -> None:
    """Writes tests/goldens/<name>.safetensors. One metadata entry, because safetensors does not fix the order of many."""
    arrays = {n: np.ascontiguousarray(t.detach().numpy().astype(np.float32)) for n, t in tensors.items()}
    for n, a in arrays.items():
        assert np.isfinite(a).all(), f"{name}: {n} is not finite"
    FOLDER.mkdir(parents=True, exist_ok=True)
    path = FOLDER / f"{name}.safetensors"
    save_file(arrays, path, metadata={"golden": json.dumps(description | {"versions": versions()})})
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")
