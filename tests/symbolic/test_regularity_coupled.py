"""The conditions of coupled kernels against hand-derived labels, and each label against integrals in the plane."""

import numpy as np
import pytest
import sympy as sp

import symdsm as sd
from symdsm.symbolic.growth import growth
from tests.oracles.validity import plane_gap, plane_second_moment_is_finite
from tests.symbolic.labels_coupled import COUPLED, PRECISION, Coupled, P, R, X, Y, density, i, j, n, s, total


def slope(log_density, h=1e-6):
    """The gradient by central differences."""

    def score(y, x):
        steps = h * np.eye(2)
        return np.stack([(log_density(y + e, x) - log_density(y - e, x)) / (2 * h) for e in steps], -1)

    return score


def disagrees_with_checker(label: Coupled) -> bool:
    found = label.kernel().check()
    size = {sp.Symbol("n", integer=True, positive=True): 2}
    return [c.subs(size) if c is not None else None for c in (found.identity_holds, found.holds)] != [
        sp.S(label.identity), sp.S(label.holds)
    ]  # fmt: skip


def disagrees_with_integrals(label: Coupled) -> bool:
    if label.log_density is None:
        return label.identity
    miss = plane_gap(label.log_density, slope(label.log_density))
    finite = plane_second_moment_is_finite(label.log_density, slope(label.log_density))
    return (miss < 5e-3) != label.identity or finite is not label.holds


@pytest.mark.parametrize("name", COUPLED)
def test_the_checker_says_what_the_label_says(name):
    assert not disagrees_with_checker(COUPLED[name])


@pytest.mark.parametrize("name", COUPLED)
def test_integrals_say_what_the_label_says(name):
    assert not disagrees_with_integrals(COUPLED[name])


PLANTED = {
    "finite said to be infinite": COUPLED["laplace walk"]._replace(holds=False),
    "infinite said to be finite": COUPLED["multivariate laplace"]._replace(holds=True),
    "valid said to fail": COUPLED["log cosh"]._replace(identity=False, holds=False),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_wrong_label_is_noticed(name):
    assert disagrees_with_checker(PLANTED[name])
    assert disagrees_with_integrals(PLANTED[name])


def test_the_plane_oracle_sees_a_moving_jump():
    step = lambda y, x: -np.sum(np.abs(y - x), -1) + 0.7 * (y - x > 0)[..., 0]  # noqa: E731
    smooth = lambda y, x: -np.sum(np.abs(y - x), -1)  # noqa: E731
    assert plane_gap(step, slope(smooth)) > 0.05 > 5e-3 > plane_gap(smooth, slope(smooth))


def test_a_density_that_does_not_integrate_says_so():
    found = COUPLED["differences alone"].kernel().check()
    assert "no density" in str(found) and "ties every entry" in found.remedies[0]


def test_the_level_of_a_coupled_kernel():
    levels = {name: getattr(sd.families, name)().check().level_holds for name in (
        "multivariate_normal_precision", "multivariate_t", "multivariate_laplace", "random_walk",
        "smoothed_total_variation")}  # fmt: skip
    assert set(levels.values()) == {sp.true}
    free = sd.Kernel.from_density(-total(R**2, (i, n)) / (2 * s**2) - total(R**4, (i, n)), Y, X, level=s, log=True)
    assert free.check().level_holds == sp.false and "dsm" in str(free.check().remedies)


GROWTH = {  # (expression, size, slope, convex, concave, bounded above)
    "square": (total(R**2, (i, n)), 2, 1, True, False, False),
    "minus an absolute value": (-total(sp.Abs(R), (i, n)), 1, 0, False, True, True),
    "log": (sp.log(1 + total(R**2, (i, n))), 1, 0, False, False, False),
    "norm": (sp.sqrt(1 + total(R**2, (i, n))), 1, 0, True, False, False),
    "bump": (sp.exp(-total(R**2, (i, n))), 0, 0, False, False, True),
    "product": (total(R**2, (i, n)) * total(R, (i, n)), 3, 2, False, False, False),
    "quartic": (-total(R**4, (i, n)), 4, 3, False, True, True),
}


@pytest.mark.parametrize("name", GROWTH)
def test_growth(name):
    expr, *expected = GROWTH[name]
    kernel = sd.Kernel.from_density(expr - total(R**6, (i, n)), Y, X, log=True)
    own = kernel._declaration.density
    real = {Y: own.noisy, X: own.clean}
    found = growth(expr.replace(sp.Indexed, lambda base, *index: real.get(base, base)[index]), own.noisy)
    assert [found.size, found.slope, found.convex, found.concave, found.above] == expected


def test_the_information_of_a_gaussian_is_the_trace_of_its_precision():
    kernel = sd.Kernel.from_density(-total(P[i, j] * R * (Y[j] - X[j]), (i, n), (j, n)) / 2, Y, X, log=True)
    shown = kernel.fisher_information()
    (entry,) = shown.atoms(sp.Indexed)
    assert entry.base == P and entry.indices[0] == entry.indices[1]
    fisher = kernel.compile().fisher(np.zeros(2), P=PRECISION)
    assert np.allclose(fisher, np.trace(PRECISION), rtol=1e-6)


def test_unknown_stays_unknown():
    found = density(-total(R**4, (i, n)) + total(R**3, (i, n)))().check()
    assert found.holds is None and "not" in str(found)
