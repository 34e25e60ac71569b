"""log I_x(a, b), the regularised incomplete beta function, with derivatives in all three arguments.

In the coordinate logit(t) = logit(x) - v,

    I_x(a, b) = x**a (1-x)**b / B(a, b) int_0^oo exp(-a v - (a + b) log(1 + x (e**-v - 1))) dv,

and for x <= a/(a+b) the integrand is one smooth, log-concave descent: Gauss and Legendre's rule over the interval
in which its exponent falls to -38 (-18 in float32). The end of the interval is found by Newton's method, which comes
down monotonically on a convex function. For x > a/(a+b) the answer is 1 - I_{1-x}(b, a). For a < 1, where the
descent has two scales, a is raised by one first (DLMF 8.17.20):

    I_x(a, b) = I_x(a+1, b) + x**a (1-x)**b / (a B(a, b)).
"""

import jax
import jax.numpy as jnp

from .arrays import differentiable, floats, is_double, partial
from .elementary import log1m_exp, lse
from .gammas import log_beta
from .quadrature import gauss_legendre, integrate_descent

_BETA_RULE, _BETA_RULE_SINGLE = gauss_legendre(72), gauss_legendre(36)


def _log_beta_descent(a, b, x):
    """log of the integral above, for a >= 1 and x <= a/(a+b)."""
    rule, depth = (_BETA_RULE, 38.0) if is_double(x) else (_BETA_RULE_SINGLE, 18.0)

    def fall(a, b, x, v):
        return a * v + (a + b) * jnp.log1p(x * jnp.expm1(-v))

    fixed = jax.lax.stop_gradient((a, b, x))

    def newton(_, end):
        a, b, x = fixed
        shrunk = x * jnp.exp(-end)
        slope = a - (a + b) * shrunk / (1.0 - x + shrunk)
        return end - jnp.maximum(fall(a, b, x, end) - depth, 0.0) / slope

    start = (depth - (fixed[0] + fixed[1]) * jnp.log1p(-fixed[2])) / fixed[0]
    end = jax.lax.fori_loop(0, 24, newton, start)
    wide = a[..., None], b[..., None], x[..., None]
    return jnp.log(integrate_descent(rule, lambda v: fall(*wide, v), end))


def _log_beta_front(a, b, x):
    """log(x**a (1-x)**b / B(a, b))."""
    return a * jnp.log(x) + b * jnp.log1p(-x) - log_beta(a, b)


def _log_beta_left(a, b, x):
    """log I_x(a, b) for x <= a/(a+b)."""
    raised = a < 1
    lifted = jnp.where(raised, a + 1.0, a)
    rest = _log_beta_front(lifted, b, x) + _log_beta_descent(lifted, b, x)
    return jnp.where(raised, lse(rest, _log_beta_front(a, b, x) - jnp.log(a)), rest)


def _log_beta_inc(a, b, x):
    a, b, x = jnp.broadcast_arrays(a, b, x)
    left = x * (a + b) <= a
    value = _log_beta_left(
        jnp.where(left, a, b), jnp.where(left, b, a), jnp.where(left, x, 1.0 - x)
    )
    return jnp.where(
        left, value, log1m_exp(jnp.where(left, -1.0, jnp.minimum(value, -1e-30)))
    )


@differentiable(
    lambda out, a, b, x: log_beta_inc_shape(1, a, b, x),
    lambda out, a, b, x: log_beta_inc_shape(2, a, b, x),
    lambda out, a, b, x: beta_hazard(a, b, x),
)
def log_beta_inc(a, b, x):
    """log I_x(a, b) for a, b > 0 and 0 < x < 1."""
    return _log_beta_inc(a, b, x)


def log_beta_inc_shape(k, a, b, x):
    """d log I_x(a, b) / da for k = 1, / db for k = 2."""
    return partial(_log_beta_inc, k - 1)(a, b, x)


def _hazard_in_shape(k, out, a, b, x):
    digamma = jax.scipy.special.digamma
    own = jnp.log(x) - digamma(a) if k == 1 else jnp.log1p(-x) - digamma(b)
    return out * (own + digamma(a + b) - log_beta_inc_shape(k, a, b, x))


@differentiable(
    lambda out, a, b, x: _hazard_in_shape(1, out, a, b, x),
    lambda out, a, b, x: _hazard_in_shape(2, out, a, b, x),
    lambda out, a, b, x: out * ((a - 1.0) / x - (b - 1.0) / (1.0 - x) - out),
)
def beta_hazard(a, b, x):
    """x**(a-1) (1-x)**(b-1) / (B(a, b) I_x(a, b))."""
    return jnp.exp(
        _log_beta_front(a, b, x) - _log_beta_inc(a, b, x) - jnp.log(x) - jnp.log1p(-x)
    )


def betainc_regularized(a, b, lower, upper):
    """I_upper(a, b) - I_lower(a, b)."""
    a, b, lower, upper = jnp.broadcast_arrays(*floats(a, b, lower, upper))

    def distribution(x):
        inside = jnp.clip(x, 1e-30, 1.0 - jnp.finfo(x.dtype).eps)
        value = jnp.exp(log_beta_inc(a, b, inside))
        return jnp.where(x <= 0, 0.0, jnp.where(x >= 1, 1.0, value))

    return distribution(upper) - distribution(lower)
