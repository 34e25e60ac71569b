"""The demo keeps its promise: digits are restored from half an image of speckle, and the verdicts hold."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest

from benchmarks import digits
from symdsm.runs import Run

MODEL = Path(__file__).parents[1] / "models" / "digits.py"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_six_held_out_digits(seed, tmp_path):
    """An error near that of the exact posterior under the training set, and intervals that cover 80-98%.

    The oracle weighs the blurred training digits by their likelihood (benchmarks/digits.py), on the same observations.
    """
    main = runpy.run_path(str(MODEL), run_name="digits")["main"]
    with Run(MODEL, tmp_path / "out", seed=seed) as run:
        main(run, held_out=6)
    found = json.loads((tmp_path / "out" / "run.json").read_text())
    assert found["mse_ratio"] <= 1.5 * oracle(tmp_path / "out")
    assert 0.80 <= found["coverage"] <= 0.98
    assert found["verdict"] in {"trust", "look"}
    assert found["verdict_plain_nuts"] != "trust"
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000


def oracle(folder):
    """The data mean's share of squared error that the exact posterior mean under the training set reaches."""
    train, test = digits.halves()
    prior = digits.KernelDensity(train, 0.15, np.random.default_rng(0))
    seen = digits.observations(folder)
    return digits.share([prior.mean(y, 4.0) for y in seen], test[:6] + 0.5, train)


def test_the_model_is_one_page():
    assert len(MODEL.read_text().splitlines()) < 80
