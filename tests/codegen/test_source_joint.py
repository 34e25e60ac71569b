"""The module of a kernel of several coordinates against the registry's oracles, its targets against its scores."""

import jax
import numpy as np
import pytest
import scipy.stats as st
import sympy as sp
import sympy.stats as ss

import symdsm as sd
from benchmarks.families import SAMPLER_LEVEL
from symdsm.errors import DeclarationError, DerivationError, ShapeError
from tests.kernels import compare_joint
from tests.kernels.joint import ROWS

FAST = ("MultivariateT", "column_speckled")


def _row(case):
    return pytest.param(case, id=case.name, marks=() if case.name in FAST else pytest.mark.slow)


@pytest.mark.parametrize("case", [_row(case) for case in ROWS])
def test_right_inside_in_tails_and_outside(case):
    program = case.declare().compile()
    for region in ("interior", "tails"):
        for name, found in compare_joint.compare(case, program, region, "ordinary", np.float64).items():
            assert found.right, f"{region} {name}: {found}"
    if case.level:
        assert compare_joint.compare_level(case, program).right
    if case.positive:
        assert compare_joint.outside(case, program, np.float32).right
    assert compare_joint.sampler_p_value(case, program) > SAMPLER_LEVEL


def test_targets_come_from_the_noise_and_are_the_scores():
    case = next(c for c in ROWS if c.name == "MultivariateT")
    program, key = case.declare().compile(), jax.random.key(3)
    with jax.enable_x64(True):
        x = np.tile([0.4, -1.1], (5, 1))
        y, score, slope = program.dual_target(key, x, **case.params)
        np.testing.assert_array_equal(y, program.target(key, x, **case.params)[0])
        np.testing.assert_allclose(score, program.score(y, x, **case.params), rtol=1e-12)
        np.testing.assert_allclose(slope, program.level_score(y, x, **case.params), rtol=1e-11)
        covariance = [[0.49, -0.42], [-0.42, 1.36]]
        theirs = [st.multivariate_t(m, covariance, 3.5).logpdf(v) for m, v in zip(x, np.asarray(y), strict=True)]
        np.testing.assert_allclose(program.log_prob(y, x, **case.params), theirs, rtol=1e-12)
        assert program.fisher(x, **case.params).shape == (5,)
    with pytest.raises(ShapeError):
        program.log_prob(np.zeros(3), np.zeros(2), **case.params)


def test_a_small_level_does_not_cancel_in_the_target():
    case = next(c for c in ROWS if c.name == "column_speckled")
    program = case.declare().compile()
    x = np.array([1000.0, 2.0], np.float32)
    y, score = program.target(jax.random.key(0), x, s=1e-6, L=4.0)
    assert y[0] == 1000.0 and 1e4 < abs(float(score[0])) < 1e7  # y - x rounds to nothing, the score does not


def test_information_that_is_not_known_is_told():
    case = next(c for c in ROWS if c.name == "column_nonlinear")
    kernel = case.declare()
    assert kernel.fisher_information() is None
    assert "def fisher" not in kernel.compile().source
    with pytest.raises(DerivationError, match="closed form"):
        kernel.compile().fisher(np.ones(2), s=0.7)


def test_dirichlet_symbols_are_kernels_on_the_simplex():
    x, nu = sp.symbols("x1:4", positive=True), sp.Symbol("nu", positive=True)
    kernel = sd.Kernel.from_random(ss.Dirichlet("y", [nu * t for t in x]), clean=x, level=nu)
    assert kernel == sd.families.dirichlet().subs({"kappa": nu}) and kernel.support == sd.Simplex()
    y, clean = np.array([0.1, 0.6, 0.3]), np.array([0.2, 0.5, 0.3])
    with jax.enable_x64(True):
        found = kernel.compile().log_prob(y, clean, nu=7.0)
    assert abs(found - st.dirichlet(7 * clean).logpdf(y)) < 1e-12
    with pytest.raises(DeclarationError, match="same function"):
        sd.Kernel.from_random(ss.Dirichlet("y", [nu * x[0], 2 * nu * x[1]]), clean=x[:2])
