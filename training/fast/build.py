"""Compiles the C++ kernels with one g++ command and loads them."""

import ctypes
import hashlib
import os
import subprocess
import tempfile
from pathlib import Path

FOLDER = Path(__file__).parent
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fno-finite-math-only", "-std=c++17", "-fopenmp", "-fPIC", "-shared"]


def library() -> ctypes.CDLL:
    """The compiled kernels, built once per source and kept in the user's cache folder."""
    sources = sorted(FOLDER.glob("*.cpp"))
    digest = hashlib.sha256(" ".join(FLAGS).encode())
    for path in sorted(FOLDER.glob("*.cpp")) + sorted(FOLDER.glob("*.h")):
        digest.update(path.read_bytes())
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "sk-training"
    target = cache / f"kernels-{digest.hexdigest()[:16]}.so"
    if not target.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            built = Path(folder) / target.name
            subprocess.run([os.environ.get("CXX", "g++"), *FLAGS, *map(str, sources), "-o", str(built)], check=True)
            built.replace(target)
    kernels = ctypes.CDLL(str(target))
    keep_freed_memory()
    return kernels


def keep_freed_memory() -> None:
    """Tells glibc to reuse large blocks instead of returning them to the system after every operation."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, mmap_max = -1, -4
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_max, 0)
