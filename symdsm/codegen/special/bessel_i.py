"""log I_nu(z), the modified Bessel function of the first kind, for real order nu > -1 and z > 0.

Three classical pieces, each used where it has full precision:

- the power series (DLMF 10.25.2), all terms positive, for z up to 12 (8 in float32) and nu below M;
- Olver's uniform expansion (DLMF 10.41.3): with w = sqrt(nu**2 + z**2),
  log I_nu(z) = w - nu asinh(nu/z) - log(2 pi w)/2 + log sum_k U_k(nu/w) / nu**k, for w >= M = 27 (12 in float32):
  U_k(p)/nu**k is 1/w**k times a polynomial in p**2, so that w alone, and not nu, must be large;
- in between, the same expansion at an order nu + n with (nu + n)**2 + z**2 >= M**2, brought down by the
  recurrence of the ratios
  r_nu = I_{nu+1}/I_nu = 1/(2 (nu + 1)/z + r_{nu+1}) (DLMF 10.29.1), which is stable in this direction (Amos 1974).

The ratio at order M follows from the expansion of I' (DLMF 10.41.5) with nothing cancelled:
r_nu = z/(w + nu) - (z/w**2) sum_k W_k / nu**k / sum_k U_k / nu**k,  W_k(p) = U_k/2 + p U_k'.
"""

import jax.numpy as jnp
import jax.scipy.special as jsp

from .arrays import differentiable, is_double, partial
from .elementary import LOG_2
from .normal import HALF_LOG_2_PI


def debye_coefficients(count):
    """U_k(p) = sum_j a[k][j] p**(k+2j) and W_k(p) = U_k/2 + p U_k' = sum_j b[k][j] p**(k+2j), DLMF 10.41.9."""
    u = [[1.0]]
    for k in range(count):
        row = []
        for j in range(k + 2):
            m = k + 2 * j
            kept = u[k][j] * (m / 2 + 1 / (8 * (m + 1))) if j <= k else 0.0
            moved = u[k][j - 1] * ((m - 2) / 2 + 5 / (8 * (m + 1))) if j else 0.0
            row.append(kept - moved)
        u.append(row)
    w = [[(0.5 + k + 2 * j) * c for j, c in enumerate(row)] for k, row in enumerate(u)]
    return u, w


_I_DEBYE_U, _I_DEBYE_W = debye_coefficients(13)
_I_LEAST_ORDER, _I_LEAST_ORDER_SINGLE = 27, 12  # M above
_I_TERMS, _I_TERMS_SINGLE = 13, 7
_I_SERIES_END, _I_SERIES_END_SINGLE = 12.0, 8.0
_I_SERIES_TERMS, _I_SERIES_TERMS_SINGLE = 36, 20


def _sum_over_k(rows, p2, inverse_w):
    """sum_k inverse_w**k sum_j rows[k][j] p2**j."""
    total = jnp.zeros_like(p2)
    for row in rows[::-1]:
        inner = jnp.zeros_like(p2)
        for c in row[::-1]:
            inner = inner * p2 + c
        total = total * inverse_w + inner
    return total


def _uniform_i(nu, z):
    """(log I_nu(z) - z, r, 1 - r) for w >= M by the uniform expansion."""
    terms = _I_TERMS if is_double(z) else _I_TERMS_SINGLE
    w = jnp.sqrt(nu * nu + z * z)
    p = nu / w
    u = _sum_over_k(_I_DEBYE_U[: terms + 1], p * p, 1.0 / w)
    correction = z / w / w * (_sum_over_k(_I_DEBYE_W[:terms], p * p, 1.0 / w) / u)
    log_scaled = (
        nu * nu / (w + z)
        - nu * jnp.arcsinh(nu / z)
        - HALF_LOG_2_PI
        - 0.5 * jnp.log(w)
        + jnp.log(u)
    )
    gap = (nu + nu * nu / (w + z)) / (w + nu) + correction
    return log_scaled, z / (w + nu) - correction, gap


def _recurred_i(nu, z):
    """(log I_nu(z) - z, r, 1 - r) for every nu > -1 and z not small: the expansion at nu + n, then n steps down."""
    least = _I_LEAST_ORDER if is_double(z) else _I_LEAST_ORDER_SINGLE
    needed = jnp.sqrt(jnp.maximum(least * least - z * z, 0.0))
    steps = jnp.where(z > least, 0.0, jnp.clip(jnp.ceil(needed - nu), 0, least + 1))
    order = nu + steps
    log_scaled, ratio, gap = _uniform_i(order, z)
    product = jnp.ones_like(ratio)
    for i in range(least + 1):
        active = i < steps
        c = 2.0 * (order - i) / z
        ratio = jnp.where(active, 1.0 / (c + ratio), ratio)
        gap = jnp.where(active, (c - gap) * ratio, gap)
        product = jnp.where(active, product * ratio, product)
    return log_scaled - jnp.log(product), ratio, gap


def _series_tail_i(nu, q, terms):
    """sum_{k>0} q**k / (k! (nu+1)_k), q = z**2/4."""
    total = jnp.zeros_like(q * nu)
    for k in range(terms, 0, -1):
        total = q / (k * (nu + k)) * (1.0 + total)
    return total


def _split_i(nu, z):
    """Where the power series is used, and safe arguments for it and for the other piece."""
    double = is_double(z)
    end = _I_SERIES_END if double else _I_SERIES_END_SINGLE
    small = (z <= end) & (nu < (_I_LEAST_ORDER if double else _I_LEAST_ORDER_SINGLE))
    return (
        small,
        jnp.where(small, nu, 0.0),
        jnp.where(small, z, 1.0),
        jnp.where(small, end, z),
    )


def _log_series_i(nu, z):
    tail = _series_tail_i(
        nu, 0.25 * z * z, _I_SERIES_TERMS if is_double(z) else _I_SERIES_TERMS_SINGLE
    )
    return nu * (jnp.log(z) - LOG_2) - jsp.gammaln(nu + 1.0) + jnp.log1p(tail)


def _log_bessel_i(nu, z):
    small, nu_small, z_small, z_large = _split_i(nu, z)
    return jnp.where(
        small, _log_series_i(nu_small, z_small), _recurred_i(nu, z_large)[0] + z_large
    )


def _log_bessel_ie(nu, z):
    small, nu_small, z_small, z_large = _split_i(nu, z)
    return jnp.where(
        small, _log_series_i(nu_small, z_small) - z_small, _recurred_i(nu, z_large)[0]
    )


def _series_ratio(nu, z):
    terms = _I_SERIES_TERMS if is_double(z) else _I_SERIES_TERMS_SINGLE
    q = 0.25 * z * z
    return (
        0.5
        * z
        / (nu + 1.0)
        * (1.0 + _series_tail_i(nu + 1.0, q, terms))
        / (1.0 + _series_tail_i(nu, q, terms))
    )


@differentiable(
    lambda out, nu, z: partial(partial(_log_bessel_i, 0), 0)(nu, z),
    lambda out, nu, z: (
        1.0 / z + bessel_i_ratio(nu, z) * (log_bessel_i_order(nu + 1.0, z) - out)
    ),
)
def log_bessel_i_order(nu, z):
    """d log I_nu(z) / d nu."""
    return partial(_log_bessel_i, 0)(nu, z)


@differentiable(
    lambda out, nu, z: log_bessel_i_order(nu, z),
    lambda out, nu, z: bessel_i_ratio(nu, z) + nu / z,
)
def log_bessel_i(nu, z):
    """log I_nu(z)."""
    return _log_bessel_i(nu, z)


@differentiable(
    lambda out, nu, z: log_bessel_i_order(nu, z),
    lambda out, nu, z: nu / z - bessel_i_gap(nu, z),
)
def log_bessel_ie(nu, z):
    """log(exp(-z) I_nu(z))."""
    return _log_bessel_ie(nu, z)


def _ratio_in_order(nu, z):
    return bessel_i_ratio(nu, z) * (
        log_bessel_i_order(nu + 1.0, z) - log_bessel_i_order(nu, z)
    )


def _ratio_in_argument(nu, z):
    ratio = bessel_i_ratio(nu, z)
    gap = bessel_i_gap(nu, z)
    return gap * (1.0 + ratio) - (2.0 * nu + 1.0) / z * ratio


@differentiable(
    lambda out, nu, z: _ratio_in_order(nu, z),
    lambda out, nu, z: _ratio_in_argument(nu, z),
)
def bessel_i_ratio(nu, z):
    """I_{nu+1}(z)/I_nu(z)."""
    small, nu_small, z_small, z_large = _split_i(nu, z)
    return jnp.where(
        small, _series_ratio(nu_small, z_small), _recurred_i(nu, z_large)[1]
    )


@differentiable(
    lambda out, nu, z: -_ratio_in_order(nu, z),
    lambda out, nu, z: -_ratio_in_argument(nu, z),
)
def bessel_i_gap(nu, z):
    """1 - I_{nu+1}(z)/I_nu(z), with full relative precision for large z."""
    small, nu_small, z_small, z_large = _split_i(nu, z)
    return jnp.where(
        small, 1.0 - _series_ratio(nu_small, z_small), _recurred_i(nu, z_large)[2]
    )


def bessel_i(nu, z):
    """I_nu(z); overflows where I_nu does, so prefer log_bessel_i."""
    return jnp.exp(log_bessel_i(nu, z))
