"""models/denoise_photo.py: as good as training on the clean picture, from noisy pixels alone."""

import runpy
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.runs import Run

MODEL = Path(__file__).parents[1] / "models" / "denoise_photo.py"


@pytest.fixture(scope="module")
def model():
    return runpy.run_path(str(MODEL), run_name="denoise_photo")


def test_counts_are_denoised_in_the_coordinate_of_constant_size(model):
    """With y = z (u^2/4 - 3/8), the score in u of a density whose score in y is l: l z u/2 + 1/u."""
    u, slope, z = np.array([3.0, 8.0, 15.0]), np.array([0.4, -2.0, 1.0]), 1 / model["PEAK"]
    y = z * (u**2 / 4 - 3 / 8)
    found = model["poisson"](u, slope * z * u / 2 + 1 / u)
    np.testing.assert_allclose(found, (y + z / 2) * np.exp(z * slope), rtol=1e-5)


def test_no_shown_window_holds_a_hidden_pixel(model):
    """Half of the picture is hidden, and what the contrast is trained on lies wholly in the other half."""
    hidden = model["hidden"]((256, 256))
    assert hidden.mean() == 0.5
    shown = ~np.asarray(model["patches"](hidden)).any((1, 2))
    marked = model["patches"](np.where(hidden, 1.0, 0.0))[shown]
    assert shown.sum() > 1000 and float(marked.max()) == 0.0


def test_tiles_cover_the_picture_once(model):
    picture = jnp.asarray(np.random.default_rng(0).normal(size=(64, 64)))
    np.testing.assert_array_equal(model["tiled"](lambda tiles: tiles, picture), picture)


@pytest.mark.slow
def test_a_short_run_gains_and_comes_near_to_training_on_the_clean_picture(model, tmp_path):
    with Run(MODEL, tmp_path / "photo") as run:
        model["main"](run, steps=600, noises=("gaussian",))
    found = run.record["gaussian_psnr"]
    assert found["self"] - found["noisy"] > 5.0
    assert run.record["gaussian_gap"] < 1.0
    assert (tmp_path / "photo" / "photo.png").stat().st_size > 50_000
