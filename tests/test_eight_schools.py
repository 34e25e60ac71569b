"""models/eight_schools.py: two studies, one after the other, against all eight schools at once, on a grid."""

from pathlib import Path

import numpy as np
import pytest

from symdsm.runs import run_file

MODEL = Path(__file__).parents[1] / "models" / "eight_schools.py"


@pytest.mark.slow
def test_the_run(tmp_path):
    run = run_file(MODEL, tmp_path / "schools").record
    assert run["mu_exact"] == pytest.approx(by_quadrature(), rel=1e-3)
    for name in ("mu", "tau"):
        assert run[f"{name}_off"] < 0.15
        assert run[f"{name}_found"][1] == pytest.approx(run[f"{name}_exact"][1], rel=0.1)
    assert run["verdict"] == "trust"
    assert "trust" in (tmp_path / "schools" / "diagnosis.html").read_text(encoding="utf-8")


def by_quadrature():
    """E mu and sd mu: given tau, mu is normal; tau by Gauss-Legendre on [0, 100]."""
    effect = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    error = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    nodes, weights = np.polynomial.legendre.leggauss(400)
    tau, weights = 50 * (nodes + 1), 50 * weights
    precision = 1 / (error**2 + tau[:, None] ** 2)
    total = precision.sum(1) + 1 / 100
    mean = (precision * effect).sum(1) / total
    log_evidence = (np.log(precision).sum(1) - np.log(total) - (precision * effect**2).sum(1) + mean**2 * total) / 2
    mass = weights * np.exp(log_evidence - log_evidence.max() - tau**2 / 200)
    mass /= mass.sum()
    center = (mass * mean).sum()
    return [center, np.sqrt((mass * (1 / total + mean**2)).sum() - center**2)]
