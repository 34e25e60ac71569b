"""models/galaxies.py: held-out likelihoods against a normal law and kernel density estimates, and three groups."""

from pathlib import Path

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
    # The large group and the two far ones of 7 and of 3 galaxies, seen through the least noise, of sd 0.4.
    for first, last in ((9.172, 10.406), (18.419, 24.990), (32.065, 34.279)):
        assert any(first - 0.4 < mode < last + 0.4 for mode in run["modes"])
    assert (tmp_path / "galaxies" / "galaxies.png").stat().st_size > 10_000
