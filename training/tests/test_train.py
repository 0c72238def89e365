"""Training, and that a killed run continues as if it had never stopped."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

import augment
import data
import train as training

TRAIN = Path(training.__file__)
KERNELS = {"plain": [], "fast": ["--fast"], "two processes": ["--fast", "--processes", "2"]}


def command(cache, folder, *more):
    options = ["--epochs", "6", "--batch", "10", "--sizes", "32", "48", "--held-out", "2", "--evaluate-every", "3"]
    options += ["--log-every", "1", "--checkpoint-minutes", "0", "--mixup", "0.2", "--threads", "1", *more]
    return [sys.executable, str(TRAIN), str(cache), str(folder), *options]


def lines(folder):
    path = folder / "log.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")] if path.exists() else []


def without_speed(entries):
    return [{k: v for k, v in entry.items() if k != "images_per_second"} for entry in entries]


@pytest.fixture(scope="module")
def whole(cache, tmp_path_factory):
    """Folders of runs that were never stopped, by the kernels they used."""
    folders = {}
    for kernels, more in KERNELS.items():
        folders[kernels] = tmp_path_factory.mktemp("whole")
        subprocess.run(command(cache, folders[kernels], *more), check=True, capture_output=True)
    return folders


@pytest.mark.parametrize(
    ("kernels", "end"),
    [
        ("plain", signal.SIGKILL),
        ("fast", signal.SIGKILL),
        ("fast", signal.SIGTERM),
        ("two processes", signal.SIGKILL),
        ("two processes", signal.SIGTERM),
    ],
)
def test_resumes_bit_for_bit(cache, whole, tmp_path, kernels, end):
    process = subprocess.Popen(command(cache, tmp_path, *KERNELS[kernels]), stdout=subprocess.DEVNULL)
    while (not lines(tmp_path) or lines(tmp_path)[-1]["step"] < 8) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(end)
    process.wait()
    assert 8 <= lines(tmp_path)[-1]["step"] < 30, "stopped too late to test anything"
    subprocess.run(command(cache, tmp_path, *KERNELS[kernels]), check=True, capture_output=True)
    wanted, resumed = (load_file(folder / "averaged.safetensors") for folder in (whole[kernels], tmp_path))
    assert all(torch.equal(wanted[name], resumed[name]) for name in wanted)
    assert without_speed(lines(tmp_path)) == without_speed(lines(whole[kernels]))


def test_refuses_to_continue_another_recipe(cache, tmp_path):
    short = ["--epochs", "1"]
    subprocess.run(command(cache, tmp_path, *short), check=True, capture_output=True)
    other = subprocess.run(command(cache, tmp_path, *short, "--seed", "1"), capture_output=True, text=True)
    assert other.returncode != 0 and "seed" in other.stderr
    assert json.loads((tmp_path / "recipe.json").read_text())["seed"] == 0


def test_starts_from_weights_of_an_earlier_run(cache, whole, tmp_path):
    first = whole["plain"] / "averaged.safetensors"
    start = training.Start.read(first)
    recipe = training.Recipe(start=start.digest)
    trainer = training.Trainer(recipe, data.load(cache).train, 5, "cpu", False, start)
    wanted = load_file(first)
    for model in (trainer.model, trainer.averaged):
        assert all(torch.equal(value, wanted[name]) for name, value in model.state_dict().items())

    again = ["--epochs", "1", "--start", str(first)]
    subprocess.run(command(cache, tmp_path, *again), check=True, capture_output=True)
    assert lines(tmp_path)[0] == {"step": 0, "history": start.history, "processes": 1}
    with safe_open(tmp_path / "averaged.safetensors", "pt") as file:
        history = json.loads(file.metadata()["history"])
    assert [(run["sha256"], run["epochs"]) for run in history] == [(start.digest, "6.00")]
    other = subprocess.run(command(cache, tmp_path, "--epochs", "1"), capture_output=True, text=True)
    assert other.returncode != 0 and "start" in other.stderr


def test_refuses_to_start_from_weights_that_do_not_fit(cache, whole, tmp_path):
    tensors = load_file(whole["plain"] / "averaged.safetensors")
    save_file(tensors | {"fc.bias": torch.zeros(6)}, tmp_path / "other.safetensors")
    start = training.Start.read(tmp_path / "other.safetensors")
    with pytest.raises(SystemExit, match=r"1 tensors do not fit, fc.bias is \[6\], wanted is \[5\]"):
        training.Trainer(training.Recipe(), data.load(cache).train, 5, "cpu", False, start)


def test_learns(cache):
    dataset = data.load(cache)
    recipe = training.Recipe(
        epochs=20, batch=10, sizes=(32,), held_out=0, augmentation=augment.Augmentation(least_area=0.5, colour=0.1)
    )
    trainer = training.Trainer(recipe, dataset.train, 5, "cpu", fast=False)
    losses = [trainer.advance()[0] for _ in range(60)]
    assert sum(losses[-10:]) < 0.7 * sum(losses[:10])


def test_sizes_and_rate_follow_progress():
    recipe = training.Recipe(rate=1.0, warmup=0.1, sizes=(80, 96, 112))
    assert [recipe.size(p) for p in (0, 0.33, 0.34, 0.7, 1)] == [80, 80, 96, 112, 112]
    assert recipe.rate_at(0) < recipe.rate_at(0.05) < recipe.rate_at(0.1) == 1.0
    assert recipe.rate_at(0.55) == pytest.approx(0.5) and recipe.rate_at(1) == pytest.approx(0)


def fresh(cache, recipe):
    return training.Trainer(recipe, data.load(cache).train, 5, "cpu", fast=False)


def test_weight_decay_and_attention_rate_reach_the_right_parameters(cache):
    recipe = training.Recipe(attention_rate=3.0, decay=0.1)
    trainer = fresh(cache, recipe)
    groups = {id(p): (g["weight_decay"], g["factor"]) for g in trainer.optimiser.param_groups for p in g["params"]}
    found = {name: groups[id(p)] for name, p in trainer.model.named_parameters()}
    assert found["stage2.0.branch2.0.weight"] == (0.1, 1.0)
    assert found["stage2.0.branch2.3.paths.0.conv.weight"] == (0.0, 1.0)
    assert found["stage2.0.branch2.3.attn.fc_select.weight"] == (0.1, 3.0)
    assert found["stage2.0.branch2.3.attn.bn.weight"] == (0.0, 1.0)
    assert len(groups) == len(found)


def test_attention_scale_widens_the_initial_attention_and_nothing_else(cache):
    plain, wide = (fresh(cache, training.Recipe(attention_scale=scale)).model.state_dict() for scale in (1.0, 3.0))
    for name, value in plain.items():
        torch.testing.assert_close(wide[name], 3 * value if name.endswith("fc_select.weight") else value)


def test_seed_purpose_and_step_each_give_other_numbers():
    places = [(0, training.WEIGHTS, 0), (1, training.WEIGHTS, 0), (0, training.ORDER, 0), (0, training.WEIGHTS, 1)]
    drawn = [torch.rand(4, generator=training.generator(*place)) for place in places]
    assert torch.equal(drawn[0], torch.rand(4, generator=training.generator(*places[0])))
    assert len({tuple(one.tolist()) for one in drawn}) == len(places)


def test_runs_of_other_seeds_start_from_other_weights(cache):
    first, second = (fresh(cache, training.Recipe(seed=seed)).model.conv1[0].weight for seed in (0, 1))
    assert not torch.equal(first, second)
