import contextlib
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sympy as sp
import sympy.stats as st

import symdsm as sd
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
from symdsm.learning.objectives import dual
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
    (dict(objective="slicked"), FitError, "dual"),
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


def test_a_level_in_the_middle_is_judged_too():
    """Speckle from 4 looks to 1 passes infinite variances on the way; both ends are finite."""
    kernel = sd.families.speckle()
    with pytest.warns(UserWarning, match=r"infinite at L=.*change\(sp.log\)"):
        check_validity(kernel, {}, geometric(4.0, 1.0), unchecked=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_validity(kernel, {}, geometric(100.0, 3.0), unchecked=False)


def test_conditions_on_the_clean_value_are_judged_on_the_data():
    kernel = sd.families.gamma()
    with pytest.warns(UserWarning, match="infinite"):
        check_validity(kernel, {}, geometric(0.1, 1.0), unchecked=False, clean=jnp.asarray([1.0, 5.0]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_validity(kernel, {}, geometric(0.1, 1.0), unchecked=False, clean=jnp.asarray([3.0, 5.0]))


@pytest.mark.parametrize(("shape", "error"), [(0.7, ValidityError), (1.0, ValidityError), (1.5, None), (2.5, None)])
def test_a_moving_edge_is_judged_at_the_given_shape(shape, error):
    x, s, a = sp.Symbol("x", real=True), *sp.symbols("s a", positive=True)
    kernel = sd.Kernel.from_random(x + s * st.Gamma("g", a, 1), clean=x, level=s)
    with pytest.raises(ValidityError, match="edge x moves") if error else contextlib.nullcontext():
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            check_validity(kernel, {"a": shape}, LEVELS, unchecked=False)
    if shape == 1.5:
        assert "infinite" in str(said[0].message) and "kernel.subs" in str(said[0].message)


def test_dual_objectives_hear_of_the_level():
    x, s = sp.Symbol("x", real=True), sp.Symbol("s", positive=True)
    kernel = sd.Kernel.from_random(x + s * st.WignerSemicircle("z", 1), clean=x, level=s)
    with pytest.warns(UserWarning, match="level score cannot be matched"):
        check_validity(kernel, {}, LEVELS, unchecked=False, objective=dual)


@pytest.mark.slow
def test_an_overruled_check_is_recorded_and_saved(tmp_path):
    x, s = sp.Symbol("x", real=True), sp.Symbol("s", positive=True)
    kernel = sd.Kernel.from_random(x + s * st.Exponential("z", 1), clean=x, level=s)
    options = dict(key=jax.random.key(0), levels=LEVELS, objective="dsm", steps=2, batch_size=8, progress=False)
    with pytest.raises(ValidityError, match="edge x moves with x"):
        fit(energy(), DATA, kernel, **options)
    with pytest.warns(UserWarning, match="score matching is wrong"):
        made = fit(energy(), DATA, kernel, **options, unchecked=True)
    made.save(tmp_path / "fit")
    assert made.unchecked and sd.load(tmp_path / "fit").unchecked
