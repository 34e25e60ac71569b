"""Elementary functions that lose digits or overflow when written out, and the ones that jax.numpy does not name.

Each is the textbook formula, arranged so that no intermediate is larger than the result, with its exact derivative.
"""

import jax
import jax.numpy as jnp

from .arrays import differentiable

LOG_2 = 0.6931471805599453


@differentiable(lambda out, u: sigmoid(u))
def softplus(u):
    """log(1 + exp u)."""
    return jnp.maximum(u, 0.0) + jnp.log1p(jnp.exp(-jnp.abs(u)))


@differentiable(lambda out, u: out * sigmoid(-u))
def sigmoid(u):
    """1/(1 + exp(-u)), with full relative precision in the lower tail too."""
    small = jnp.exp(-jnp.abs(u))
    return jnp.where(u < 0, small, 1.0) / (1.0 + small)


@differentiable(
    lambda out, u, a, b: (a - b) * sigmoid(u) * sigmoid(-u),
    lambda out, u, a, b: sigmoid(u),
    lambda out, u, a, b: sigmoid(-u),
)
def blend(u, a, b):
    """a/(1 + exp(-u)) + b/(1 + exp(u)) by one division; the small part keeps its digits on both sides."""
    small, below = jnp.exp(-jnp.abs(u)), u < 0
    return (jnp.where(below, b, a) + small * jnp.where(below, a, b)) / (1.0 + small)


@differentiable(lambda out, u: jnp.tanh(u))
def log_cosh(u):
    """log cosh u = -log(1 - t^2)/2 = |u| - log(1 + t) with t = tanh |u|."""
    u = jnp.abs(u)
    t = jnp.tanh(u)
    near = u < 1
    log = jnp.log1p(jnp.where(near, -t * t, t))
    return jnp.where(near, -0.5 * log, u - log)


@differentiable(lambda out, u: 1.0 / jnp.tanh(u))
def log_sinh(u):
    """log sinh u for u > 0."""
    return u - LOG_2 + jnp.log(-jnp.expm1(-2.0 * u))


@differentiable(lambda out, u: -1.0 / jnp.expm1(-u))
def log_expm1(u):
    """log(exp u - 1) for u > 0."""
    return u + jnp.log(-jnp.expm1(-u))


@differentiable(lambda out, u: -1.0 / jnp.expm1(-u))
def log1m_exp(u):
    """log(1 - exp u) for u < 0."""
    return jnp.where(u > -LOG_2, jnp.log(-jnp.expm1(u)), jnp.log1p(-jnp.exp(u)))


@differentiable(lambda out, u: jnp.expm1(u))
def exp_gap(u):
    """exp(u) - 1 - u, by its series near zero: u^2/2 (1 + u/3 (1 + u/4 (1 + ...)))."""
    near = jnp.clip(u, -0.7, 0.7)
    series = jnp.ones_like(near)
    for k in range(15, 2, -1):
        series = 1.0 + near / k * series
    return jnp.where(jnp.abs(u) < 0.7, 0.5 * near * near * series, jnp.expm1(u) - u)


@differentiable(lambda out, u: 1.0 / u)
def log_abs(u):
    """log |u|."""
    return jnp.log(jnp.abs(u))


@differentiable(
    lambda out, u, b: b * jnp.abs(u) ** (b - 1.0) * jnp.sign(u),
    lambda out, u, b: out * jnp.log(jnp.where(u == 0, 1.0, jnp.abs(u))),
)
def abs_power(u, b):
    """|u|^b."""
    return jnp.abs(u) ** b


@differentiable(lambda out, r: jnp.where(r < jnp.inf, (r - 1.0) / r, 1.0))
def log_gap(r):
    """r - 1 - log r for r > 0, inf where r = y/x overflows; near r = 1 as wrong as if r were one unit away."""
    return (
        r - 1.0 - jnp.log(jnp.minimum(r, float(jnp.finfo(jnp.result_type(r, 0.0)).max)))
    )


@differentiable(lambda out, u: 2.0 * hump(u))
def log1p_square(u):
    """log(1 + u**2), also where the square overflows."""
    far = jnp.abs(u) > 1e18
    log = jnp.log1p(jnp.where(far, jnp.abs(u), u * u))
    return jnp.where(far, 2.0, 1.0) * log


@differentiable(lambda out, u: (2.0 / (1.0 + u * u) - 1.0) / (1.0 + u * u))
def hump(u):
    """u/(1 + u**2), also where the square overflows."""
    far = jnp.abs(u) > 1e18
    return jnp.where(far, 1.0, u) / jnp.where(far, u, 1.0 + u * u)


@differentiable(lambda out, u: (1.0 / jnp.hypot(1.0, u)) ** 3)
def soft_sign(u):
    """u/sqrt(1 + u**2), also where the square overflows."""
    u = jnp.clip(u, -1e9, 1e9)
    return u / jnp.sqrt(1.0 + u * u)


def lse(*args):
    """log(exp a + exp b + ..); minus infinity, with gradient zero, when all arguments are."""
    top = _finite_maximum(args)
    total = sum(jnp.exp(a - top) for a in args)
    empty = total == 0
    return jnp.where(empty, -jnp.inf, top + jnp.log(jnp.where(empty, 1.0, total)))


def softmax(k, *args):
    """exp(a_k)/(exp a_0 + exp a_1 + ..), k a Python integer; 0 when all arguments are minus infinity."""
    top = _finite_maximum(args)
    total = sum(jnp.exp(a - top) for a in args)
    return jnp.exp(args[k] - top) / jnp.where(total == 0, 1.0, total)


def signed_lse(*args):
    """log |c_1 exp u_1 + c_2 exp u_2 + ..| of c_1, u_1, c_2, u_2, .."""
    top = _finite_maximum(args[1::2])
    return top + jnp.log(
        jnp.abs(
            sum(
                c * jnp.exp(u - top) for c, u in zip(args[::2], args[1::2], strict=True)
            )
        )
    )


def signed_weight(k, *args):
    """exp(u_k) / (c_1 exp u_1 + c_2 exp u_2 + ..), k a Python integer counted from 0."""
    top = _finite_maximum(args[1::2])
    total = sum(
        c * jnp.exp(u - top) for c, u in zip(args[::2], args[1::2], strict=True)
    )
    return jnp.exp(args[2 * k + 1] - top) / total


def _finite_maximum(args):
    top = args[0]
    for a in args[1:]:
        top = jnp.maximum(top, a)
    return jax.lax.stop_gradient(jnp.where(jnp.isfinite(top), top, 0.0))


def sec(u):
    """1/cos u."""
    return 1.0 / jnp.cos(u)


def csc(u):
    """1/sin u."""
    return 1.0 / jnp.sin(u)


def cot(u):
    """1/tan u."""
    return 1.0 / jnp.tan(u)


@differentiable(lambda out, u: -out * jnp.tanh(u))
def sech(u):
    """1/cosh u."""
    small = jnp.exp(-jnp.abs(u))
    return 2.0 * small / (1.0 + small * small)


@differentiable(lambda out, u: -out / jnp.tanh(u))
def csch(u):
    """1/sinh u."""
    small = jnp.abs(u)
    return -2.0 * jnp.sign(u) * jnp.exp(-small) / jnp.expm1(-2.0 * small)


def coth(u):
    """1/tanh u."""
    return 1.0 / jnp.tanh(u)


def acot(u):
    """The angle in (-pi/2, pi/2] whose cotangent is u."""
    return jnp.arctan(1.0 / u)


def asec(u):
    """The angle in [0, pi] whose secant is u."""
    return jnp.arccos(1.0 / u)


def acsc(u):
    """The angle in [-pi/2, pi/2] whose cosecant is u."""
    return jnp.arcsin(1.0 / u)


def acoth(u):
    """atanh(1/u) for |u| > 1."""
    return jnp.arctanh(1.0 / u)


def asech(u):
    """acosh(1/u) for 0 < u <= 1."""
    return jnp.arccosh(1.0 / u)


def acsch(u):
    """asinh(1/u)."""
    return jnp.arcsinh(1.0 / u)


def sinc(u):
    """sin(u)/u (jax.numpy's sinc has a factor pi)."""
    return jnp.sinc(u / jnp.pi)


def frac(u):
    """u - floor u."""
    return u - jnp.floor(u)
