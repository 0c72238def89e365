"""Synthetic pictures and what is noted of them."""

import numpy as np
import pytest
import torch

import figures
import model as models
import scale
import stimuli


def pixels(*arguments, **more):
    return np.asarray(stimuli.picture(*arguments, **more).convert("L")).astype(int)


def test_disc_is_as_large_as_asked():
    disc = pixels("disc", 0.5, 1.0)
    radius = 0.25 * stimuli.SIDE
    assert (disc > 200).sum() == pytest.approx(np.pi * radius**2, rel=0.02)
    assert disc[0, 0] in (127, 128) and disc.max() == 255
    assert pixels("disc", 0.5, 0.5).max() == pytest.approx(127.5 * 1.5, abs=1)


def test_grating_has_the_periods_asked_for_and_turns():
    upright = pixels("grating", 2.0, 1.0, frequency=8)
    row = upright[stimuli.SIDE // 2] - 127.5
    assert np.abs(np.fft.rfft(row)).argmax() == 8
    assert (upright == upright[0]).all()
    turned = pixels("grating", 2.0, 1.0, orientation=90, frequency=8)
    assert (turned == turned[:, :1]).all()


def test_bar_crosses_the_picture():
    bar = pixels("bar", 0.1, 1.0)
    assert (bar[0] > 200).sum() == pytest.approx(0.1 * stimuli.SIDE, abs=1)


@pytest.mark.parametrize(("values", "wanted"), [([0.1, 0.2, 0.9], 1), ([3.0, 2.0, 1.0], -1), ([1.0, 3.0, 2.0, 4.0], 0.8)])
def test_rank_correlation(values, wanted):
    assert stimuli.rank_correlation(torch.tensor(values)) == pytest.approx(wanted)


def test_orientations_are_averaged():
    attention = scale.Attention(models.build(0.5, 3))
    series = stimuli.Series("bar", "size", (0.1, 0.5))
    found = stimuli.measure(attention, series, 1.0, 64)
    views = [stimuli.view(shown, 64, 1) for shown in series.pictures(0.5, 1.0)]
    assert len(views) == len(stimuli.ORIENTATIONS)
    torch.testing.assert_close(found[1], attention.differences(torch.stack(views)).mean(0))


def test_figures_draw_every_curve(tmp_path):
    curves = {contrast: {unit: [0.0, 0.1] for unit in ("SK_2_1", "SK_2_2")} for contrast in ("0.5", "1")}
    series = {"kind": "disc", "parameter": "size", "values": [0.1, 0.9], "contrasts": curves}
    figures.stimuli([series], ["SK_2_1", "SK_2_2"], tmp_path / "s.svg")
    text = (tmp_path / "s-disc.svg").read_text()
    for colour in figures.COLOURS[:2]:
        assert text.count(f"stroke: {colour}") >= 3, "a line in both units and one in the legend"
