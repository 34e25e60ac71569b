"""The demo keeps its promise: digits are restored from half an image of speckle, and the verdicts hold."""

import json
import runpy
from pathlib import Path

import pytest

from symdsm.runs import Run

MODEL = Path(__file__).parents[1] / "models" / "digits.py"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_six_held_out_digits(seed, tmp_path):
    """MSE at most 0.35 of the data mean's, 90% intervals that cover 80-98%, from a cold start."""
    main = runpy.run_path(str(MODEL), run_name="digits")["main"]
    with Run(MODEL, tmp_path / "out", seed=seed) as run:
        main(run, held_out=6)
    found = json.loads((tmp_path / "out" / "run.json").read_text())
    assert found["mse_ratio"] <= 0.35
    assert 0.80 <= found["coverage"] <= 0.98
    assert found["verdict"] in {"trust", "look"}
    assert found["verdict_plain_nuts"] == "do not trust"
    assert (tmp_path / "out" / "report.html").stat().st_size > 50_000


def test_the_model_is_one_page():
    assert len(MODEL.read_text().splitlines()) < 80
