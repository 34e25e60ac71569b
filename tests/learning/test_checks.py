import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.errors import (
    DataError,
    DerivationError,
    EnergyRequired,
    FitError,
    ParameterError,
    ShapeError,
    ValidityError,
)
from symdsm.learning.checks import affine_in_clean, check_data, check_validity
from symdsm.learning.fit import fit
from symdsm.learning.levels import geometric
from symdsm.learning.networks import Denoiser, Energy, Score
from symdsm.learning.noise import Noise
from tests.learning.doubles import PROGRAM, GaussianKernel, GaussianProgram, Multiplicative

DATA = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
LEVELS = geometric(0.1, 5.0)


class ScaleKernel(GaussianKernel):
    def compile(self):
        return Multiplicative()


class NoLevel(GaussianKernel):
    level = None


class Halfline(GaussianProgram):
    """A density that is zero at negative clean values."""

    def log_prob(self, y, x, /, *, sigma):
        return jnp.where(x > 0, super().log_prob(y, x, sigma=sigma), -jnp.inf)


class HalflineKernel(GaussianKernel):
    def compile(self):
        return Halfline()


def nan_at(*rows):
    data = DATA.copy()
    data[list(rows), 0] = np.nan
    return data


def energy():
    return Energy((2,), key=jax.random.key(0), width=4, depth=1)


TABLE = [
    (dict(data=nan_at(3, 7)), DataError, "2 of 40 rows .*rows 3, 7"),
    (dict(data=np.ones((40, 2), int)), DataError, "int64"),
    (dict(data=DATA[:1]), DataError, "two samples"),
    (dict(data=np.float32(1.0)), DataError, "two samples"),
    (dict(data=np.zeros((40, 0), np.float32)), DataError, "entries"),
    (dict(data=np.stack([DATA[:, 0], np.ones(40, np.float32)], 1)), DataError, "columns 1"),
    (dict(data=DATA[:, :1] + [1.0, 2.0, 3.0]), ShapeError, r"\(3,\)"),
    (dict(kernel=HalflineKernel()), DataError, "support"),
    (dict(params={"tau": 1.0}), ParameterError, "unknown .*tau"),
    (dict(params={"sigma": 1.0}), ParameterError, "levels="),
    (dict(kernel=GaussianKernel(("sigma", "shift"))), ParameterError, "no value for shift"),
    (dict(levels=None), ParameterError, "range for the level"),
    (dict(kernel=NoLevel(()), objective="dsm"), ParameterError, "without one"),
    (dict(kernel=GaussianKernel(identity=False, reason="the edge moves")), ValidityError, "edge moves"),
    (dict(objective="sliced"), FitError, "dual"),
    (dict(net=Score((2,), key=jax.random.key(0))), EnergyRequired, "Score"),
    (dict(net=eqx.nn.Linear(2, 2, key=jax.random.key(0))), FitError, "sd.Energy"),
    (dict(kernel=NoLevel(()), levels=None), DerivationError, "level"),
    (
        dict(net=Denoiser((2,), key=jax.random.key(0)), kernel=ScaleKernel(), objective="dsm", data=abs(DATA) + 0.1),
        DerivationError,
        "affine",
    ),
    (dict(steps=0), ParameterError, "steps"),
    (dict(batch_size=-1), ParameterError, "batch_size"),
    (dict(learning_rate=float("nan")), ParameterError, "learning_rate"),
    (dict(validation=1.0), ParameterError, "validation"),
]


@pytest.mark.parametrize(("change", "error", "words"), TABLE)
def test_bad_input(change, error, words):
    given = dict(net=energy(), data=DATA, kernel=GaussianKernel(), levels=LEVELS) | change
    with pytest.raises(error, match=words) as caught:
        fit(given.pop("net"), given.pop("data"), given.pop("kernel"), key=jax.random.key(0), **given)
    assert caught.value.fix


def test_unchecked_overrules_the_identity_and_infinite_variance_only_warns():
    check_validity(GaussianKernel(identity=False), {}, LEVELS, unchecked=True)
    with pytest.warns(UserWarning, match="infinite at .*heavy"):
        check_validity(GaussianKernel(variance=False, reason="heavy"), {}, LEVELS, unchecked=False)


def test_lists_of_floats_are_data():
    assert check_data([[1.0], [2.0]]).dtype == np.float64


def test_affine_is_found_by_chords():
    x = jnp.asarray(np.abs(DATA) + 0.1)
    assert affine_in_clean(Noise({}, LEVELS, "sigma", False, PROGRAM), x, jax.random.key(0))
    assert not affine_in_clean(Noise({}, LEVELS, "sigma", False, Multiplicative()), x, jax.random.key(0))
