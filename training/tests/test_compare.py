"""Comparisons of units over seeds."""

import compare

TINY = ["--epochs", "1", "--batch", "10", "--sizes", "32", "--held-out", "2", "--threads", "1"]


def test_table_gives_mean_and_deviation():
    results = [
        compare.Result("a", [50.0, 52.0, 54.0], [70.0, 70.0, 70.0], 1_234_567, 40_000_000),
        compare.Result("b", [50.0], [70.0], 1_000_000, 40_000_000),
    ]
    lines = compare.table(results).splitlines()
    assert lines[2] == "| a | 3 | 52.00 ± 2.00 | 70.00 ± 0.00 | 1.235 M | 40.0 M |"
    assert lines[3].startswith("| b | 1 | 50.00 | 70.00 |")


def test_divides_arguments():
    assert compare.divided(["a", "--", "--fast", "--"]) == (["a"], ["--fast", "--"])
    assert compare.divided(["a"]) == (["a"], [])


def test_variants_differ_in_what_they_compute():
    costs = {name: compare.result(variant, [], 200) for name, variant in compare.VARIANTS.items()}
    assert costs["plain"].params < costs["sum"].params < costs["sk"].params < costs["sk-m3"].params
    assert costs["sk"].params == costs["sk-k7"].params == 1_683_044
    assert costs["sk-r4"].params > costs["sk"].params


def test_runs_variants_and_continues(cache, tmp_path, monkeypatch, capsys):
    arguments = ["compare.py", str(cache), str(tmp_path), "--seeds", "0", "1", "--only", "plain", "sk", "--", *TINY]
    monkeypatch.setattr("sys.argv", arguments)
    compare.main()
    written = (tmp_path / "comparison.md").read_text()
    assert [line.split("|")[2].strip() for line in written.splitlines()[2:]] == ["2", "2"]
    assert (tmp_path / "sk-1" / "averaged.safetensors").is_file()
    first = (tmp_path / "sk-1" / "log.jsonl").read_text()
    compare.main()
    assert (tmp_path / "sk-1" / "log.jsonl").read_text() == first, "finished runs are not repeated"
    assert (tmp_path / "comparison.md").read_text() == written
