"""models/wind.py: the real data, and the noised directions against the closed form of their resultant length."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from symdsm.runs import run_file

MODEL = Path(__file__).parents[1] / "models" / "wind.py"


@pytest.mark.slow
def test_the_run(tmp_path):
    record = run_file(MODEL, tmp_path / "wind").record
    assert record["directions"] == 310
    # Pewsey, Neuhaeuser and Ruxton, Circular Statistics in R (2013), print 0.292 and 0.656.
    assert record["mean_direction"] == pytest.approx(0.292, abs=5e-4)
    assert record["length"] == pytest.approx(0.656, abs=5e-4)
    draws = 310 * runpy.run_path(str(MODEL))["DRAWS"]
    for name in ("wrapped_normal", "von_mises", "wrapped_cauchy"):
        error = np.subtract(record[f"{name}_length"], record[f"{name}_length_expected"])
        assert np.abs(error).max() < 4 * np.sqrt(0.5 / draws)
        assert (tmp_path / "wind" / f"{name}.py").exists()
    assert (tmp_path / "wind" / "prior_predictive.png").stat().st_size > 10_000
    # The learned prior gains nothing on the flat one here: four directions say enough. Both beat the last one seen.
    for site in ("turn", "log_kappa"):
        (mean, spread), (found, found_spread) = record[f"{site}_exact"], record[f"{site}_found"]
        assert abs(found - mean) < 0.3 * spread
        assert found_spread == pytest.approx(spread, rel=0.15)
        assert record[f"{site}_r_hat"] < 1.05
    assert record["missed_learned"] < record["missed_last_seen"] == pytest.approx(0.406, abs=1e-3)
