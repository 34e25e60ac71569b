"""The gamma function near and far: log Gamma(1 + a) near a = 0, Stirling's error, and relatives of Gamma.

    stirling_error(a) = log Gamma(a) - (a - 1/2) log a + a - log(2 pi)/2 ~ sum_k B_2k / (2k (2k-1) a**(2k-1))

(DLMF 5.11.1). By Binet's formula (DLMF 5.9.10) a stirling_error(a) is a Stieltjes function of 1/a**2, so that rational
functions of 1/a**2 approach it fast on a >= 1/2; below, one step stirling_error(a) - stirling_error(a + 1) =
(a + 1/2) log(1 + 1/a) - 1 is added. With it the log of x**a exp(-x) / Gamma(a) is written around its peak x = a,
where the plain formula loses log10(a) digits:

    a log x - x - log Gamma(a) = log(a / 2 pi)/2 + a (log(x/a) - x/a + 1) - stirling_error(a).
"""

import jax.numpy as jnp
import jax.scipy.special as jsp

from .arrays import differentiable, floats, horner
from .normal import HALF_LOG_2_PI

EULER_GAMMA = 0.5772156649015329

# B_2k / (2k (2k-1))
_STIRLING = (
    0.083333333333333333,
    -0.0027777777777777778,
    0.00079365079365079365,
    -0.00059523809523809524,
    0.00084175084175084175,
    -0.0019175269175269175,
    0.0064102564102564103,
    -0.029550653594771242,
)
# zeta(k) - 1, k = 2, 3, ..
_ZETA = (
    0.64493406684822644,
    0.20205690315959429,
    0.082323233711138192,
    0.036927755143369926,
    0.01734306198444914,
    0.0083492773819228268,
    0.0040773561979443394,
    0.0020083928260822144,
    0.00099457512781808534,
    0.00049418860411946456,
    0.0002460865533080483,
    0.00012271334757848915,
    6.1248135058704829e-5,
    3.0588236307020494e-5,
    1.5282259408651872e-5,
    7.6371976378997623e-6,
    3.8172932649998399e-6,
    1.9082127165539389e-6,
    9.5396203387279611e-7,
    4.7693298678780646e-7,
    2.3845050272773299e-7,
    1.1921992596531107e-7,
    5.960818905125948e-8,
)


# (atanh(r)/r - 1)/r**2 = sum_k r**(2k) / (2k + 3)
_ATANH = tuple(1.0 / (2 * k + 3) for k in range(17))
# numerators and denominators in 1/a**2, fitted for a >= 1/2 by least squares of the relative error at 50 digits: it is
# below 1e-17 of a stirling_error(a), and below 1e-16 of -a**2 stirling_slope(a)
_ERROR = (
    (
        0.083333333333333333,
        2.0148597087587605,
        17.835332213108123,
        75.404003925539004,
        166.85087247622859,
        199.45735567200975,
        128.54539208164963,
        43.302503485895712,
        7.133308862389376,
        0.50641891832307342,
        0.011935588633658933,
        4.3850768692817455e-5,
    ),
    (
        1.0,
        24.211649838438442,
        214.82151774239328,
        911.78532007979293,
        2030.7202338831267,
        2453.8081589405735,
        1609.8211949252267,
        558.65054430436272,
        96.813172119354125,
        7.5267378025447892,
        0.21295010764566006,
        0.0013143051700298623,
    ),
)
_SLOPE = (
    (
        0.083333333333333327,
        2.2504391929660847,
        22.316079231321613,
        105.93743800522068,
        263.56615779644407,
        354.26245795511636,
        256.256252936266,
        96.488341907207395,
        17.635209538825659,
        1.3714271189206529,
        0.034490260918272669,
        0.00012117184826438143,
    ),
    (
        1.0,
        27.105270315592869,
        270.45585875984675,
        1297.0541147747744,
        3280.8848094536722,
        4528.785267378526,
        3417.8480766799109,
        1376.7725394924627,
        280.47005103228634,
        26.139614154039331,
        0.91833871685142586,
        0.0076499722941751968,
    ),
)


def _stirling_series(a):
    """Stirling's error for a >= 10."""
    return horner(_STIRLING, 1.0 / (a * a)) / a


def _stirling_rational(table, a):
    """The fraction at a for a >= 1/2, at a + 1 below; that argument; a where it is below."""
    above, below = table
    shifted = jnp.where(a < 0.5, a + 1.0, a)
    square = 1.0 / (shifted * shifted)
    return horner(above, square) / horner(below, square), shifted, jnp.minimum(a, 0.5)


@differentiable(lambda out, a: jsp.polygamma(1, a) - 1.0 / a - 0.5 / (a * a))
def stirling_slope(a):
    """The derivative of stirling_error, psi(a) - log a + 1/(2 a) for a > 0."""
    value, shifted, near = _stirling_rational(_SLOPE, a)
    step = jnp.log1p(1.0 / near) - (near + 0.5) / (near * (near + 1.0))
    return jnp.where(a < 0.5, step, 0.0) - value / (shifted * shifted)


@differentiable(lambda out, a: stirling_slope(a))
def stirling_error(a):
    """log Gamma(a) - (a - 1/2) log a + a - log(2 pi)/2 for a > 0."""
    value, shifted, near = _stirling_rational(_ERROR, a)
    step = (near + 0.5) * jnp.log1p(1.0 / near) - 1.0
    return jnp.where(a < 0.5, step, 0.0) + value / shifted


@differentiable(lambda out, a: jsp.digamma(1.0 + a))
def log_gamma_1p(a):
    """log Gamma(1 + a) for a > -1, with full relative precision near its zeros a = 0 and a = 1."""
    near = jnp.where(a > 0.5, a - 1.0, a)
    near = jnp.clip(near, -0.5, 0.5)
    signed = tuple((-1.0) ** k * c / k for k, c in enumerate(_ZETA, start=2))
    series = (
        -jnp.log1p(near)
        + near * (1.0 - EULER_GAMMA)
        + near * near * horner(signed, near)
    )
    series = jnp.where(a > 0.5, series + jnp.log1p(near), series)
    return jnp.where((a < -0.5) | (a > 1.5), jsp.gammaln(1.0 + a), series)


def log_ratio_remainder(x, a):
    """log(x/a) - (x/a - 1) for positive x and a, without cancellation near x = a: log(1 + d) = 2 atanh(d/(2 + d))."""
    d = (x - a) / a
    far = jnp.abs(d) > 0.5
    near = jnp.where(far, 0.0, d)
    r = near / (2.0 + near)
    return jnp.where(
        far, jnp.log(x / a) - d, r * (2.0 * r * r * horner(_ATANH, r * r) - near)
    )


def log_gamma_kernel(a, x):
    """log(x**a exp(-x) / Gamma(a))."""
    large = a > 10
    big = jnp.where(large, a, 11.0)
    peaked = (
        0.5 * jnp.log(big)
        - HALF_LOG_2_PI
        + big * log_ratio_remainder(x, big)
        - _stirling_series(big)
    )
    mild = jnp.where(large, 1.0, a)
    return jnp.where(
        large, peaked, mild * jnp.log(x) + jnp.log(mild) - x - log_gamma_1p(mild)
    )


def trigamma(x):
    """The second derivative of log Gamma."""
    return jsp.polygamma(1, x)


def polygamma(n, x):
    """The (n+1)-th derivative of log Gamma, n a Python integer."""
    return jsp.digamma(x) if n == 0 else jsp.polygamma(n, x)


def zeta(s, a=1.0):
    """Hurwitz's zeta function sum_k (k + a)**-s, Riemann's for a = 1; s > 1."""
    return jsp.zeta(*floats(s, a))


def factorial(n):
    """Gamma(n + 1)."""
    return jnp.exp(jsp.gammaln(n + 1.0))


def log_beta(a, b):
    """log B(a, b) = log Gamma(a) + (log Gamma(b) - log Gamma(a + b)), the large terms cancelled beforehand."""
    a, b = floats(a, b)
    small, large = jnp.minimum(a, b), jnp.maximum(a, b)
    far = large > 10
    g = jnp.where(far, large, 11.0)
    drop = small - small * jnp.log(small + g) - (g - 0.5) * jnp.log1p(small / g)
    drop = drop + _stirling_series(g) - _stirling_series(small + g)
    drop = jnp.where(far, drop, jsp.gammaln(large) - jsp.gammaln(a + b))
    peaked = small > 10
    s = jnp.where(peaked, small, 11.0)
    both = (
        HALF_LOG_2_PI
        - 0.5 * jnp.log(g)
        + (s - 0.5) * jnp.log(s / (s + g))
        - g * jnp.log1p(s / g)
    )
    both = both + _stirling_series(s) + _stirling_series(g) - _stirling_series(s + g)
    return jnp.where(peaked, both, log_gamma_1p(small) - jnp.log(small) + drop)


def beta(a, b):
    """B(a, b) for positive a and b."""
    return jnp.exp(log_beta(a, b))
