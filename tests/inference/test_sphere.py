"""Kernels on the simplex and the sphere inside NumPyro, and the map onto the sphere."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
import scipy.special as sc
import sympy as sp
from numpyro.diagnostics import effective_sample_size
from numpyro.distributions import biject_to, constraints
from numpyro.infer import MCMC, NUTS
from scipy.integrate import dblquad, quad

import symdsm as sd
from symdsm.inference.sphere import Direction

SHARES = np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]])


def test_the_direction_has_the_density_that_was_asked_for():
    """Integral of f(z/|z|) exp(-|z|^2/2) dz = (that of f over the circle) times (that of r exp(-r^2/2) dr, one)."""
    onto = biject_to(constraints.sphere)
    assert isinstance(onto, Direction)

    def f(y):
        return np.exp(1.3 * y[0] + 0.4 * y[0] * y[1])

    def integrand(b, a):
        z = np.array([a, b])
        length = np.hypot(a, b)
        return f(z / length) * np.exp(-(length**2) / 2)

    plane = 0.0
    for low_a, high_a in ((-9, 0), (0, 9)):
        for low_b, high_b in ((-9, 0), (0, 9)):
            plane += dblquad(integrand, low_a, high_a, low_b, high_b, epsabs=1e-6)[0]
    circle = quad(lambda t: f([np.cos(t), np.sin(t)]), 0, 2 * np.pi)[0]
    assert plane == pytest.approx(circle, rel=1e-5)
    z = jnp.array([[3.0, 4.0], [-0.6, 0.8]])
    np.testing.assert_allclose(onto(z), [[0.6, 0.8], [-0.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(onto.log_abs_det_jacobian(z, onto(z)), [-12.5, -0.5], rtol=1e-6)
    np.testing.assert_allclose(onto(onto.inv(onto(z))), onto(z), rtol=1e-6)
    assert onto.inverse_shape((5, 3)) == onto.forward_shape((5, 3)) == (5, 3)


def test_a_dirichlet_kernel_is_numpyros(x64):
    ours, theirs = sd.families.dirichlet().distribution(SHARES, kappa=9.0), dist.Dirichlet(9.0 * SHARES)
    assert ours.support is constraints.simplex and ours.batch_shape == (2,) and ours.event_shape == (3,)
    y = np.asarray(theirs.sample(jax.random.key(0), (4,)))
    np.testing.assert_allclose(ours.log_prob(y), theirs.log_prob(y), rtol=1e-9)
    assert (np.asarray(ours.log_prob(y + np.array([0.1, 0.0, 0.0]))) == -np.inf).all()
    drawn = ours.sample(jax.random.key(1), (7,))
    assert drawn.shape == (7, 2, 3) and bool(constraints.simplex(drawn).all())


def test_parameters_may_have_a_batch_of_their_own(x64):
    """One composition, two concentrations: a batch of two, as in NumPyro."""
    levels, y = jnp.array([3.0, 30.0]), jnp.array([0.25, 0.45, 0.3])
    ours = sd.families.dirichlet().distribution(SHARES[0], kappa=levels)
    theirs = dist.Dirichlet(levels[:, None] * SHARES[0])
    assert ours.batch_shape == (2,) and ours.event_shape == (3,)
    np.testing.assert_allclose(ours.log_prob(y), theirs.log_prob(y), rtol=1e-9)
    drawn = np.asarray(ours.sample(jax.random.key(0), (2000,)))
    spread = np.sqrt(SHARES[0] * (1 - SHARES[0]) / (np.array([[4.0], [31.0]])))
    assert drawn.shape == (2000, 2, 3)
    assert np.abs((drawn.mean(0) - SHARES[0]) / (spread / np.sqrt(2000))).max() < 4


def test_supports_have_numpyros_constraints():
    y, x = sp.IndexedBase("y", real=True), sp.IndexedBase("x", real=True)
    i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
    f = -sp.Sum((y[i] - x[i]) ** 4, (i, 0, n - 1))
    from symdsm.inference.supports import constraint_on

    def constraint(support):
        kernel = sd.Kernel.from_density(f, noisy=y, clean=x, support=support, log=True)
        return constraint_on(kernel.support, kernel.event_ndim)

    assert constraint(sd.Sphere()) is constraints.sphere and constraint(sd.Simplex()) is constraints.simplex
    assert constraint(sp.Interval(0, sp.oo)).base_constraint is constraints.positive
    assert constraint(sp.Interval(-1, 2)).base_constraint == constraints.interval(-1.0, 2.0)
    assert constraint(None).base_constraint is constraints.real


@pytest.mark.slow
def test_a_direction_as_a_latent_variable(x64):
    """Prior and likelihood von Mises-Fisher, and so is the posterior, e = 2 m + 4 sum of y; NUTS finds its mean."""
    kernel, centre = sd.families.von_mises_fisher(), np.array([0.0, 0.6, 0.8])
    data = np.array([[1.0, 0.0, 0.0], [0.6, 0.8, 0.0]])

    def program(y):
        direction = numpyro.sample("direction", kernel.distribution(centre, kappa=2.0))
        with numpyro.plate("rows", 2):
            numpyro.sample("y", kernel.distribution(jnp.stack([direction] * 2), kappa=4.0), obs=y)

    mcmc = MCMC(NUTS(program), num_warmup=500, num_samples=1500, num_chains=2, chain_method="vectorized",
                progress_bar=False)  # fmt: skip
    mcmc.run(jax.random.key(0), jnp.asarray(data))
    draws = np.asarray(mcmc.get_samples(group_by_chain=True)["direction"])
    pull = 2.0 * centre + 4.0 * data.sum(0)
    length = np.linalg.norm(pull)
    exact = sc.ive(1.5, length) / sc.ive(0.5, length) * pull / length
    ess = effective_sample_size(draws)
    assert ess.min() > 300
    error = (draws.mean((0, 1)) - exact) / (draws.std((0, 1)) / np.sqrt(ess))
    assert np.abs(error).max() < 4
    np.testing.assert_allclose(np.linalg.norm(draws, axis=-1), 1.0, rtol=1e-12)


@pytest.mark.slow
def test_chains_on_the_sphere_and_the_simplex(x64):
    """Laws without exact draws, against quadrature: E (x'y)^2 of a bipolar law, E y_1 of a truncated normal one."""
    y, x = sp.IndexedBase("y", real=True), sp.IndexedBase("x", real=True)
    i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
    f = 2 * sp.Sum(x[i] * y[i], (i, 0, n - 1)) ** 2
    bipolar = sd.Kernel.from_density(f, noisy=y, clean=x, support=sd.Sphere(), log=True).compile()
    assert bipolar.needs_chains
    draws = np.asarray(bipolar.draws(jax.random.key(0), np.array([0.0, 0.0, 1.0]), 800))
    heights = draws[:, 2] ** 2
    mass = quad(lambda t: np.exp(2 * t * t), -1, 1)[0]
    exact = quad(lambda t: t * t * np.exp(2 * t * t), -1, 1)[0] / mass
    assert abs(heights.mean() - exact) < 4 * heights.std() / np.sqrt(400)
    g = -10 * sp.Sum((x[i] - y[i]) ** 2, (i, 0, n - 1))
    normal = sd.Kernel.from_density(g, noisy=y, clean=x, support=sd.Simplex(), log=True).compile()
    at = np.array([0.7, 0.3])
    draws = np.asarray(normal.draws(jax.random.key(0), at, 800))[:, 0]
    weight = lambda t: np.exp(-10 * ((t - 0.7) ** 2 + (0.7 - t) ** 2))  # noqa: E731
    exact = quad(lambda t: t * weight(t), 0, 1)[0] / quad(weight, 0, 1)[0]
    assert abs(draws.mean() - exact) < 4 * draws.std() / np.sqrt(400)
