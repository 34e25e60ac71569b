"""Special functions that JAX lacks, or has only where they overflow.

Every file of this package imports nothing but jax and its neighbours. All functions take float32 or float64 arrays,
broadcast, and can be jitted, vmapped and differentiated in every argument; logs are natural. Integer arguments named k
or n are Python integers.

`source(names)` writes the functions with these names, and what they need, as the text of one standalone module.
"""

from .bessel_i import bessel_i, bessel_i_gap, bessel_i_ratio, log_bessel_i, log_bessel_i_order, log_bessel_ie
from .bessel_k import bessel_k, bessel_k_ratio, log_bessel_k, log_bessel_k_order, log_bessel_ke
from .elementary import (
    acot,
    acoth,
    acsc,
    acsch,
    asec,
    asech,
    cot,
    coth,
    csc,
    csch,
    exp_gap,
    frac,
    log1m_exp,
    log_abs,
    log_cosh,
    log_expm1,
    log_sinh,
    lse,
    sec,
    sech,
    sigmoid,
    sinc,
    softmax,
    softplus,
)
from .gammas import factorial, log_beta, polygamma, stirling_error, trigamma, zeta
from .incomplete_beta import beta_hazard, betainc_regularized, log_beta_inc, log_beta_inc_shape
from .incomplete_gamma import (
    gamma_hazard_p,
    gamma_hazard_q,
    log_gamma_p,
    log_gamma_p_shape,
    log_gamma_q,
    log_gamma_q_shape,
    lower_gamma,
    upper_gamma,
)
from .kummer import hyp1f1, hyp1f1_ratio, log_hyp1f1, log_hyp1f1_shape
from .normal import erfcx, log_ndtr, mills, mills_gap
from .quantile import entrywise, inverse_cdf, mean_square
from .wrapped import log_wrapped_normal, wrapped_normal_moment
from .writing import source

__all__ = [
    "acot",
    "acoth",
    "acsc",
    "acsch",
    "asec",
    "asech",
    "bessel_i",
    "bessel_i_gap",
    "bessel_i_ratio",
    "bessel_k",
    "bessel_k_ratio",
    "beta_hazard",
    "betainc_regularized",
    "cot",
    "coth",
    "csc",
    "csch",
    "entrywise",
    "erfcx",
    "exp_gap",
    "factorial",
    "frac",
    "gamma_hazard_p",
    "gamma_hazard_q",
    "hyp1f1",
    "hyp1f1_ratio",
    "inverse_cdf",
    "log1m_exp",
    "log_abs",
    "log_bessel_i",
    "log_bessel_i_order",
    "log_bessel_ie",
    "log_bessel_k",
    "log_bessel_k_order",
    "log_bessel_ke",
    "log_beta",
    "log_beta_inc",
    "log_beta_inc_shape",
    "log_cosh",
    "log_expm1",
    "log_gamma_p",
    "log_gamma_p_shape",
    "log_gamma_q",
    "log_gamma_q_shape",
    "log_hyp1f1",
    "log_hyp1f1_shape",
    "log_ndtr",
    "log_sinh",
    "log_wrapped_normal",
    "lower_gamma",
    "lse",
    "mean_square",
    "mills",
    "mills_gap",
    "polygamma",
    "sec",
    "sech",
    "sigmoid",
    "sinc",
    "softmax",
    "softplus",
    "source",
    "stirling_error",
    "trigamma",
    "upper_gamma",
    "wrapped_normal_moment",
    "zeta",
]
