"""What each SymPy function is called in JAX.

`TABLE` maps a SymPy function class to a dotted name: `jnp` is jax.numpy, `jsp` is jax.scipy.special, and `special` is
symdsm.codegen.special, written out beside an emitted module. The arguments are the same, in the same order. The
functions in `NARY` take any number of arguments in SymPy and two in JAX: fold them. The functions in `WHOLE` take a
Python integer first, so that their first argument is printed as one.

Functions without a JAX form are those of symbolic/nearest.py; `refuse` makes the error. The table is checked when this
file is imported: every target must exist.
"""

import jax.numpy as jnp
import jax.scipy.special as jsp
import sympy as sp
from sympy.functions.elementary.miscellaneous import Rem

from symdsm.codegen import special
from symdsm.errors import CodegenError
from symdsm.symbolic import nodes
from symdsm.symbolic.nearest import NEAREST

__all__ = ["NARY", "NEAREST", "TABLE", "WHOLE", "refuse"]

_MODULES = {"jnp": jnp, "jsp": jsp, "special": special}

_ELEMENTARY = {
    sp.exp: "jnp.exp",
    sp.log: "jnp.log",
    sp.Abs: "jnp.abs",
    sp.sign: "jnp.sign",
    sp.Max: "jnp.maximum",
    sp.Min: "jnp.minimum",
    sp.floor: "jnp.floor",
    sp.ceiling: "jnp.ceil",
    sp.frac: "special.frac",
    sp.Mod: "jnp.mod",
    Rem: "jnp.fmod",
    sp.Heaviside: "jnp.heaviside",
    sp.sin: "jnp.sin",
    sp.cos: "jnp.cos",
    sp.tan: "jnp.tan",
    sp.sec: "special.sec",
    sp.csc: "special.csc",
    sp.cot: "special.cot",
    sp.sinc: "special.sinc",
    sp.asin: "jnp.arcsin",
    sp.acos: "jnp.arccos",
    sp.atan: "jnp.arctan",
    sp.atan2: "jnp.arctan2",
    sp.asec: "special.asec",
    sp.acsc: "special.acsc",
    sp.acot: "special.acot",
    sp.sinh: "jnp.sinh",
    sp.cosh: "jnp.cosh",
    sp.tanh: "jnp.tanh",
    sp.sech: "special.sech",
    sp.csch: "special.csch",
    sp.coth: "special.coth",
    sp.asinh: "jnp.arcsinh",
    sp.acosh: "jnp.arccosh",
    sp.atanh: "jnp.arctanh",
    sp.asech: "special.asech",
    sp.acsch: "special.acsch",
    sp.acoth: "special.acoth",
}

_SPECIAL = {
    sp.erf: "jsp.erf",
    sp.erfc: "jsp.erfc",
    sp.erfinv: "jsp.erfinv",
    sp.erfcinv: "special.erfcinv",
    sp.gamma: "jsp.gamma",
    sp.loggamma: "jsp.gammaln",
    sp.digamma: "jsp.digamma",
    sp.trigamma: "special.trigamma",
    sp.polygamma: "special.polygamma",
    sp.beta: "special.beta",
    sp.factorial: "special.factorial",
    sp.zeta: "special.zeta",
    sp.lowergamma: "special.lower_gamma",
    sp.uppergamma: "special.upper_gamma",
    sp.betainc_regularized: "special.betainc_regularized",
    sp.besseli: "special.bessel_i",
    sp.besselk: "special.bessel_k",
    sp.Ei: "jsp.expi",
}

_NODES = {
    nodes.Softplus: "special.softplus",
    nodes.Sigmoid: "special.sigmoid",
    nodes.LogCosh: "special.log_cosh",
    nodes.LogSinh: "special.log_sinh",
    nodes.LogExpm1: "special.log_expm1",
    nodes.Log1mExp: "special.log1m_exp",
    nodes.LogAbs: "special.log_abs",
    nodes.AbsPower: "special.abs_power",
    nodes.Log1p: "jnp.log1p",
    nodes.Square: "jnp.square",
    nodes.Log1pSquare: "special.log1p_square",
    nodes.Hump: "special.hump",
    nodes.Hypot: "jnp.hypot",
    nodes.SoftSign: "special.soft_sign",
    nodes.Exp: "jnp.exp",
    nodes.Expm1: "jnp.expm1",
    nodes.ExpGap: "special.exp_gap",
    nodes.LogGap: "special.log_gap",
    nodes.LSE: "special.lse",
    nodes.Softmax: "special.softmax",
    nodes.Blend: "special.blend",
    nodes.SignedLSE: "special.signed_lse",
    nodes.SignedWeight: "special.signed_weight",
    nodes.LogNdtr: "special.log_ndtr",
    nodes.Mills: "special.mills",
    nodes.MillsGap: "special.mills_gap",
    nodes.Erfcx: "special.erfcx",
    nodes.LogWrappedNormal: "special.log_wrapped_normal",
    nodes.WrappedNormalMoment: "special.wrapped_normal_moment",
    nodes.LogBesselI: "special.log_bessel_i",
    nodes.LogBesselIe: "special.log_bessel_ie",
    nodes.LogBesselIOrder: "special.log_bessel_i_order",
    nodes.BesselIRatio: "special.bessel_i_ratio",
    nodes.BesselIGap: "special.bessel_i_gap",
    nodes.LogBesselK: "special.log_bessel_k",
    nodes.LogBesselKe: "special.log_bessel_ke",
    nodes.LogBesselKOrder: "special.log_bessel_k_order",
    nodes.BesselKRatio: "special.bessel_k_ratio",
    nodes.ErlangCdf: "special.erlang_cdf",
    nodes.LogGammaP: "special.log_gamma_p",
    nodes.LogGammaQ: "special.log_gamma_q",
    nodes.GammaHazardP: "special.gamma_hazard_p",
    nodes.GammaHazardQ: "special.gamma_hazard_q",
    nodes.LogGammaPShape: "special.log_gamma_p_shape",
    nodes.LogGammaQShape: "special.log_gamma_q_shape",
    nodes.LogBetaInc: "special.log_beta_inc",
    nodes.BetaHazard: "special.beta_hazard",
    nodes.LogBetaIncShape: "special.log_beta_inc_shape",
    nodes.LogHyp1F1: "special.log_hyp1f1",
    nodes.Hyp1F1Ratio: "special.hyp1f1_ratio",
    nodes.LogHyp1F1Shape: "special.log_hyp1f1_shape",
    nodes.LogGammaMixture: "special.log_gamma_mixture",
    nodes.Hyp0FGap: "special.hyp0f_gap",
    nodes.Hyp0FMean: "special.hyp0f_mean",
    nodes.Hyp0FShape: "special.hyp0f_shape",
    nodes.StirlingError: "special.stirling_error",
    nodes.StirlingSlope: "special.stirling_slope",
}

TABLE: dict[type, str] = {**_ELEMENTARY, **_SPECIAL, **_NODES}

NARY = frozenset({sp.Max, sp.Min})

WHOLE = frozenset(
    {
        sp.polygamma,
        nodes.Softmax,
        nodes.SignedWeight,
        nodes.WrappedNormalMoment,
        nodes.ErlangCdf,
        nodes.LogBetaIncShape,
        nodes.LogHyp1F1Shape,
        nodes.Hyp0FGap,
        nodes.Hyp0FMean,
        nodes.Hyp0FShape,
    }
)


def refuse(expr) -> CodegenError:
    """The error for an expression without a JAX form: it names the function and the nearest that has one."""
    nearest = NEAREST.get(expr.func, "the functions listed in symdsm.codegen.lookup.TABLE")
    return CodegenError(
        given=f"{expr}, whose function {expr.func.__name__} has no JAX form",
        expected="an expression of elementary and supported special functions",
        fix=f"use {nearest}",
    )


def _check() -> None:
    for function, target in TABLE.items():
        module, _, name = target.partition(".")
        assert hasattr(_MODULES[module], name), f"{function.__name__}: {target} does not exist"
    missing = set(nodes.NODES) - set(TABLE)
    assert not missing, f"nodes without a JAX form: {sorted(n.__name__ for n in missing)}"
    assert not set(TABLE) & set(NEAREST), "a function cannot both have a JAX form and lack one"


_check()
