"""The kernels of benchmarks/codegen.py: declaration, parameters, data, and NumPyro's distribution of the same law."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
import sympy as sp
import sympy.stats as st

import symdsm as sd

__all__ = ["CASES", "Case"]


@dataclass(frozen=True)
class Case:
    """`clean` says where x lies: line, half, unit; or the shape of arrays: path, image, vectors, operator, window."""

    name: str
    kernel: Callable[[], sd.Kernel]
    params: dict
    clean: str
    peer: Callable | None = None

    def data(self, program, size, params, dtype):
        """y and x of about `size` coordinates; many are copies of fewer, since some laws are slow to draw from."""
        key_x, key_y = jax.random.split(jax.random.key(size))
        if self.clean in _SCALAR:
            x = _SCALAR[self.clean](jax.random.uniform(key_x, (min(size, 10_000),), dtype, 0.05, 0.95))
            return tuple(jnp.resize(a, size) for a in (program.sample(key_y, x, **params), x))
        shape = _SHAPES[self.clean](size)
        x = jax.random.normal(key_x, shape[0], dtype)
        return jax.random.normal(key_y, shape[1], dtype), x


_SCALAR = {"line": lambda u: 4 * u - 2, "half": lambda u: 0.2 + 3 * u, "unit": lambda u: u}
_VECTOR = 32
_SHAPES = {
    "path": lambda n: ((n,), (n,)),
    "image": lambda n: ((int(n**0.5),) * 2,) * 2,
    "vectors": lambda n: ((-(-n // _VECTOR), _VECTOR),) * 2,
    "window": lambda n: ((n + 8,), (n,)),
}

_x, _y = sp.symbols("x y", real=True)
_positive = sp.Symbol("x", positive=True)
_sigma, _a, _b, _beta, _delta, _alpha = sp.symbols("sigma a b beta delta alpha", positive=True)
_kappa, _epsilon, _tau, _rate = sp.symbols("kappa epsilon tau rate", positive=True)
_z = (_y - _x) / _sigma


def _random(expr, clean=_positive, level=None):
    return lambda: sd.Kernel.from_random(expr, clean, level)


def _log_density(expr, noisy=_y, clean=_x, support=None):
    return lambda: sd.Kernel.from_density(expr, noisy, clean, support=support, log=True)


def _contaminated():
    narrow, wide = (sd.Kernel.from_random(st.Normal("y", _x, s), _x) for s in (_sigma, _tau))
    return sd.Kernel.mixture({narrow: 1 - _epsilon, wide: _epsilon})


def _rice():
    y, v = sp.Symbol("y", positive=True), _sigma**2
    f = y / v * sp.exp(-(y**2 + _positive**2) / (2 * v)) * sp.besseli(0, _positive * y / v)
    return sd.Kernel.from_density(f, y, _positive, support=sp.Interval.open(0, sp.oo))


def _exponential_gaussian():
    r = _y - _x
    f = _rate / 2 * sp.exp(_rate * (_rate * _sigma**2 / 2 - r)) * sp.erfc((_rate * _sigma**2 - r) / sp.sqrt(2) / _sigma)
    return sd.Kernel.from_density(f, _y, _x)


def _mixture_peer(x, *, epsilon, sigma, tau):
    weights = dist.Categorical(probs=jnp.stack([1 - epsilon, epsilon]))
    return dist.MixtureSameFamily(weights, dist.Normal(x[..., None], jnp.stack([sigma, tau])))


def _vp_peer(x, *, beta_min, beta_max, t):
    integral = beta_min * t + 0.5 * (beta_max - beta_min) * t * t
    return dist.Normal(x * jnp.exp(-0.5 * integral), jnp.sqrt(-jnp.expm1(-integral)))


def _precision_peer(x, *, P, sigma):
    return dist.MultivariateNormal(x, precision_matrix=P / (sigma * sigma))


def _t_peer(x, *, P, nu, sigma):
    return dist.MultivariateStudentT(nu, x, sigma * jnp.linalg.cholesky(jnp.linalg.inv(P)))


_index = jnp.arange(_VECTOR)
_PRECISION = 0.6 ** jnp.abs(_index[:, None] - _index)
_WINDOW = jnp.exp(-0.2 * (jnp.arange(9) - 4.0) ** 2)

_f = sd.families
_LINE = [
    Case("gaussian", _f.gaussian, {"sigma": 0.7}, "line", lambda x, sigma: dist.Normal(x, sigma)),
    Case(
        "poisson_gaussian",
        _f.poisson_gaussian,
        {"a": 0.3, "b": 0.1},
        "half",
        lambda x, a, b: dist.Normal(x, jnp.sqrt(a * x + b)),
    ),
    Case("laplace", _f.laplace, {"sigma": 0.7}, "line", lambda x, sigma: dist.Laplace(x, sigma)),
    Case(
        "student_t",
        _f.student_t,
        {"nu": 4.5, "sigma": 0.7},
        "line",
        lambda x, nu, sigma: dist.StudentT(nu, x, sigma),
    ),
    Case("logistic", _f.logistic, {"sigma": 0.7}, "line", lambda x, sigma: dist.Logistic(x, sigma)),
    Case("generalised_normal", _f.generalised_normal, {"beta": 1.6, "sigma": 0.7}, "line"),
    Case("cauchy", _f.cauchy, {"sigma": 0.7}, "line", lambda x, sigma: dist.Cauchy(x, sigma)),
    Case("skew_normal", _f.skew_normal, {"alpha": 1.5, "sigma": 0.7}, "line"),
    Case("gumbel", _f.gumbel, {"sigma": 0.7}, "line", lambda x, sigma: dist.Gumbel(x, sigma)),
    Case(
        "ve",
        _f.ve,
        {"sigma_min": 0.01, "sigma_max": 5.0, "t": 0.6},
        "line",
        lambda x, sigma_min, sigma_max, t: dist.Normal(
            x, sigma_min * jnp.sqrt(jnp.expm1(2 * t * jnp.log(sigma_max / sigma_min)))
        ),
    ),
    Case("vp", _f.vp, {"beta_min": 0.1, "beta_max": 20.0, "t": 0.3}, "line", _vp_peer),
    Case(
        "hyperbolic_secant",
        _log_density(sp.log(sp.sech(_z) / _sigma)),
        {"sigma": 0.7},
        "line",
        lambda x, sigma: dist.SoftLaplace(x, sigma),
    ),
    Case("pseudo_huber", _log_density(-sp.sqrt(_delta**2 + _z**2)), {"delta": 0.8, "sigma": 0.7}, "line"),
    Case("contaminated", _contaminated, {"epsilon": 0.1, "sigma": 0.5, "tau": 3.0}, "line", _mixture_peer),
    Case("moyal", _random(st.Moyal("y", _x, _sigma), _x), {"sigma": 0.7}, "line"),
    Case("exponential_gaussian", _exponential_gaussian, {"rate": 1.3, "sigma": 0.7}, "line"),
    Case(
        "asymmetric_laplace",
        _log_density(sp.Piecewise((-_kappa * (_y - _x), _y > _x), ((_y - _x) / _kappa, True)) / _sigma),
        {"kappa": 1.4, "sigma": 0.7},
        "line",
        lambda x, kappa, sigma: dist.AsymmetricLaplace(x, sigma, kappa),
    ),
    Case("quartic", _log_density(-(_z**4)), {"sigma": 0.7}, "line"),
]

_HALF = [
    Case("log_normal", _f.log_normal, {"sigma": 0.7}, "half", lambda x, sigma: dist.LogNormal(jnp.log(x), sigma)),
    Case("gamma", _f.gamma, {"theta": 0.4}, "half", lambda x, theta: dist.Gamma(x / theta, 1 / theta)),
    Case("speckle", _f.speckle, {"L": 4.0}, "half", lambda x, L: dist.Gamma(L, L / x)),
    Case("speckle_amplitude", _f.speckle_amplitude, {"L": 4.0}, "half"),
    Case("inverse_gamma", _f.inverse_gamma, {"a": 4.0}, "half", lambda x, a: dist.InverseGamma(a, a * x)),
    Case("weibull", _f.weibull, {"k": 1.7}, "half", lambda x, k: dist.Weibull(x, k)),
    Case("inverse_gaussian", _f.inverse_gaussian, {"lam": 4.0}, "half"),
    Case("rice", _rice, {"sigma": 0.7}, "half"),
    Case("rayleigh", _random(st.Rayleigh("y", _positive)), {}, "half"),
    Case("maxwell", _random(st.Maxwell("y", _positive)), {}, "half"),
    Case("log_logistic", _random(st.LogLogistic("y", _positive, _beta)), {"beta": 2.5}, "half"),
    Case("frechet", _random(st.Frechet("y", _alpha, _positive, 0)), {"alpha": 2.5}, "half"),
    Case("levy", _random(st.Levy("y", 0, _positive)), {}, "half", lambda x: dist.Levy(0.0, x)),
    Case("log_laplace", _random(_positive * sp.exp(st.Laplace("e", 0, _sigma))), {"sigma": 0.4}, "half"),
    Case("beta_prime", _random(_positive * st.BetaPrime("e", _a, _b)), {"a": 2.5, "b": 3.5}, "half"),
]

_BOUNDED = [
    Case("beta", _f.beta, {"nu": 12.0}, "unit", lambda x, nu: dist.Beta(nu * x, nu * (1 - x))),
    Case("logit_normal", _f.logit_normal, {"sigma": 0.7}, "unit"),
    Case(
        "kumaraswamy",
        _f.kumaraswamy,
        {"a": 2.5},
        "unit",
        lambda x, a: dist.Kumaraswamy(a, -jnp.log(2.0) / jnp.log1p(-(x**a))),
    ),
    Case("von_mises", _f.von_mises, {"kappa": 2.0}, "line", lambda x, kappa: dist.VonMises(x, kappa)),
    Case("wrapped_normal", _f.wrapped_normal, {"sigma": 0.7}, "line"),
    Case("wrapped_cauchy", _f.wrapped_cauchy, {"gamma": 0.7}, "line"),
]

_ARRAYS = [
    Case("random_walk", _f.random_walk, {"sigma": 0.7}, "path"),
    Case("lattice", _f.lattice, {"beta": 2.0, "sigma": 0.7}, "image"),
    Case(
        "smoothed_total_variation",
        _f.smoothed_total_variation,
        {"eps": 0.1, "lam": 1.5, "sigma": 0.7},
        "image",
    ),
    Case(
        "multivariate_normal_precision",
        _f.multivariate_normal_precision,
        {"P": _PRECISION, "sigma": 0.7},
        "vectors",
        _precision_peer,
    ),
    Case("multivariate_t", _f.multivariate_t, {"P": _PRECISION, "nu": 4.5, "sigma": 0.7}, "vectors", _t_peer),
    Case("linear_operator", _f.linear_operator, {"A": _PRECISION, "sigma": 0.7}, "vectors"),
    Case("blurred", _f.blurred, {"K": _WINDOW, "sigma": 0.7}, "window"),
]

CASES = (*_LINE, *_HALF, *_BOUNDED, *_ARRAYS)
