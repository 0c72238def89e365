"""What a run leaves behind: files that are always whole, its log, the revision of its code."""

import json
import os
import subprocess
from pathlib import Path
from typing import Callable


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
