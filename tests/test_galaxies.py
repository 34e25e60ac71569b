"""models/galaxies.py: held-out likelihoods against a normal law and kernel density estimates, and three groups."""

from pathlib import Path

import numpy as np
import pytest

from symdsm.runs import run_file

MODEL = Path(__file__).parents[1] / "models" / "galaxies.py"


@pytest.mark.slow
def test_the_run(tmp_path):
    run = run_file(MODEL, tmp_path / "galaxies").record
    assert run["galaxies"] == 82
    assert run["gain"] > 2 * run["gain_error"], "no better than one normal law"
    assert run["learned_best"] > run["kernel_best"] - 0.1
    assert run["mass"] == pytest.approx(1.0, abs=0.15)
    for place in (9.7, 20.0, 33.0):  # the large group and the two far ones
        assert np.abs(np.subtract(run["modes"], place)).min() < 1.0
    assert (tmp_path / "galaxies" / "galaxies.png").stat().st_size > 10_000
