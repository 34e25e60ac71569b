"""What every test shares: the CPU, both precisions, fixed seeds, shape checks that are on.

`addopts` in pyproject.toml switches jaxtyping's checks on for the whole package, in tests only.
"""

import os

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import numpy as np
import pytest

import symdsm.inference  # noqa: F401 - loads numpyro before ArviZ and any of its submodules do

# Whole trainings and long laws: begun first, no worker is left alone with one at the end. A worker takes whole files:
# what a file shares (a fit, a compiled sampler) is made once.
LONG = (
    *("test_digits", "test_stability", "test_readme", "test_denoise_photo", "test_examples", "test_eight_schools"),
    *("test_written", "test_tempering", "test_smc", "test_galaxies", "test_wind"),
)


def pytest_collection_modifyitems(items):
    """The files with the longest tests first; the order within a file, and that of all others, stays."""
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture
def unoptimised():
    """XLA compiles the test's functions without optimising them: for code that is compiled, then run once or twice.

    Laws about rounding do without it, since users' code is optimised.
    """
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(autouse=True)
def fixed_seed():
    """NumPy's global generator, which no library code should need, starts at one place in each test."""
    np.random.seed(0)


@pytest.fixture
def x64():
    """Run the test in double precision; afterwards JAX is as it was."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    """Run the test in single and in double precision; the value is the NumPy dtype."""
    with jax.enable_x64(request.param == "float64"):
        yield np.dtype(request.param)


@pytest.fixture
def getkey():
    """`getkey()` gives a new random key each time, the same ones in each run."""
    root, count = jax.random.key(0), iter(range(2**31))
    return lambda: jax.random.fold_in(root, next(count))
