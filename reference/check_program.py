"""Runs figure3_program.py, which is what the page copies as Python, and compares it with tests/goldens/figure3.json.

`python check_program.py`. See README.md."""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import goldens
from generate import BUNDLED

TOLERANCE = 1e-3


def main() -> None:
    golden = json.loads((goldens.ROOT / "tests" / "goldens" / "figure3.json").read_text())
    program = Path(__file__).parent / "figure3_program.py"
    with tempfile.TemporaryDirectory() as folder:
        for file in (goldens.ROOT / golden["photo"], Path(BUNDLED)):
            shutil.copy(file, folder)
        printed = subprocess.run([sys.executable, program], cwd=folder, check=True, capture_output=True, text=True).stdout
    parts = printed.split("zoom ")[1:]
    found = [{name: float(value) for name, value in re.findall(r"(SK_\d_\d+): (\S+)", part)} for part in parts]
    furthest = 0.0
    for zoom, units in enumerate(found):
        assert units.keys() == golden["units"].keys(), f"zoom {zoom}: the program prints {list(units)}"
        for name, value in units.items():
            furthest = max(furthest, abs(value - golden["units"][name]["differences"][zoom]))
    assert len(found) == len(golden["zooms"]) and furthest < TOLERANCE, f"furthest {furthest}"
    print(f"{program.name}: {len(found)} zooms, furthest {furthest:.1e}")


if __name__ == "__main__":
    main()
