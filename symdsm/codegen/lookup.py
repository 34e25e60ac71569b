"""What each SymPy function is called in JAX.

`TABLE` maps a SymPy function class to a dotted name: `jnp` is jax.numpy, `jsp` is jax.scipy.special, and `special` is
symdsm.codegen.special, written out beside an emitted module. The arguments are the same, in the same order. The
functions in `NARY` take any number of arguments in SymPy and two in JAX: fold them. The functions in `WHOLE` take a
Python integer first, so that their first argument is printed as one.

`NEAREST` names, for functions without a JAX form, what to use instead; `refuse` makes the error of it. The table is
checked when this file is imported: every target must exist.
"""

import jax.numpy as jnp
import jax.scipy.special as jsp
import sympy as sp
from sympy.functions import udivisor_sigma
from sympy.functions.elementary.miscellaneous import Rem

from symdsm.codegen import special
from symdsm.errors import CodegenError
from symdsm.symbolic import nodes

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
    nodes.Expm1: "jnp.expm1",
    nodes.ExpGap: "special.exp_gap",
    nodes.LSE: "special.lse",
    nodes.Softmax: "special.softmax",
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
    nodes.LogHyp0F: "special.log_hyp0f",
    nodes.Hyp0FMean: "special.hyp0f_mean",
    nodes.Hyp0FShape: "special.hyp0f_shape",
    nodes.StirlingError: "special.stirling_error",
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
        nodes.LogHyp0F,
        nodes.Hyp0FMean,
        nodes.Hyp0FShape,
    }
)

NEAREST: dict[type, str] = {
    sp.besselj: "besseli or besselk; oscillating Bessel functions are no densities",
    sp.bessely: "besseli or besselk; oscillating Bessel functions are no densities",
    sp.hankel1: "besselk, the real function that decays",
    sp.hankel2: "besselk, the real function that decays",
    sp.jn: "sin and cos: spherical Bessel functions of whole order are elementary (expand_func)",
    sp.yn: "sin and cos: spherical Bessel functions of whole order are elementary (expand_func)",
    sp.airyai: "besselk of order 1/3 (airyai(z).rewrite(besselk) for positive z)",
    sp.airybi: "besseli of order 1/3 (airybi(z).rewrite(besseli) for positive z)",
    sp.hyper: "besseli, lowergamma, betainc_regularized or the node LogHyp1F1, when hyperexpand finds one",
    sp.meijerg: "besselk or uppergamma, when hyperexpand finds one",
    sp.betainc: "betainc_regularized times beta",
    sp.erfi: "erf or the node Erfcx",
    sp.erf2: "the difference of two erf",
    sp.erf2inv: "erfinv",
    sp.expint: "uppergamma: expint(s, z) = z**(s-1)*uppergamma(1-s, z) for s < 1",
    sp.Si: "sinc under a Sum",
    sp.Ci: "Ei",
    sp.Shi: "Ei: Shi(z) = (Ei(z) - Ei(-z))/2",
    sp.Chi: "Ei: Chi(z) = (Ei(z) + Ei(-z))/2",
    sp.li: "Ei: li(z) = Ei(log(z))",
    sp.Li: "Ei: Li(z) = Ei(log(z)) - Ei(log(2))",
    sp.fresnels: "erf",
    sp.fresnelc: "erf",
    sp.LambertW: "an explicit inverse; declare the kernel by its density instead of its random form",
    sp.polylog: "zeta",
    sp.lerchphi: "zeta",
    sp.dirichlet_eta: "zeta: dirichlet_eta(s) = (1 - 2**(1-s))*zeta(s)",
    sp.airyaiprime: "besselk of order 2/3 (airyaiprime(z).rewrite(besselk) for positive z)",
    sp.airybiprime: "besseli of order 2/3 (airybiprime(z).rewrite(besseli) for positive z)",
    sp.hn1: "besselk, the real function that decays",
    sp.hn2: "besselk, the real function that decays",
    sp.marcumq: "a Sum of besseli, or the kernel's density instead of its distribution function",
    sp.appellf1: "a Sum",
    sp.riemann_xi: "zeta and gamma",
    sp.stieltjes: "its number: stieltjes(n).evalf()",
    sp.jacobi: "a degree that is a number: the polynomial is then written out",
    sp.gegenbauer: "a degree that is a number: the polynomial is then written out",
    sp.chebyshevt: "a degree that is a number, or cos(n*acos(z))",
    sp.chebyshevu: "a degree that is a number: the polynomial is then written out",
    sp.legendre: "a degree that is a number: the polynomial is then written out",
    sp.assoc_legendre: "a degree that is a number: the polynomial is then written out",
    sp.hermite: "a degree that is a number: the polynomial is then written out",
    sp.hermite_prob: "a degree that is a number: the polynomial is then written out",
    sp.laguerre: "a degree that is a number: the polynomial is then written out",
    sp.assoc_laguerre: "a degree that is a number: the polynomial is then written out",
    sp.Ynm: "real harmonics of degrees that are numbers (expand_func)",
    sp.Znm: "real harmonics of degrees that are numbers (expand_func)",
    sp.elliptic_k: "a Sum",
    sp.elliptic_e: "a Sum",
    sp.elliptic_f: "a Sum",
    sp.elliptic_pi: "a Sum",
    sp.DiracDelta: "a density; an atom cannot be scored",
    sp.SingularityFunction: "Piecewise",
    sp.re: "a real expression; give the symbols real=True",
    sp.im: "a real expression; give the symbols real=True",
    sp.arg: "atan2 of real expressions",
    sp.conjugate: "a real expression; give the symbols real=True",
    sp.binomial: "gamma: binomial(n, k) = gamma(n+1)/(gamma(k+1)*gamma(n-k+1))",
    sp.RisingFactorial: "gamma: rf(x, k) = gamma(x+k)/gamma(x)",
    sp.FallingFactorial: "gamma: ff(x, k) = gamma(x+1)/gamma(x-k+1)",
    sp.factorial2: "gamma",
    sp.subfactorial: "gamma and uppergamma",
    sp.harmonic: "digamma: harmonic(n) = digamma(n+1) + EulerGamma",
    sp.multigamma: "a sum of loggamma",
    sp.airyaiprime: "besselk of order 2/3 (airyaiprime(z).rewrite(besselk) for positive z)",
    sp.airybiprime: "besseli of order 2/3 (airybiprime(z).rewrite(besseli) for positive z)",
    sp.hn1: "sin and cos: spherical Bessel functions of whole order are elementary (expand_func)",
    sp.hn2: "sin and cos: spherical Bessel functions of whole order are elementary (expand_func)",
    sp.marcumq: "the density of the law itself: the Rice law has besseli(0, x) where its distribution has marcumq",
    sp.appellf1: "a Sum",
    sp.riemann_xi: "zeta and gamma",
    sp.stieltjes: "EulerGamma for stieltjes(0), else a number",
    sp.KroneckerDelta: "Piecewise((1, Eq(i, j)), (0, True)), or index notation",
    sp.LeviCivita: "Piecewise, or index notation",
    sp.adjoint: "index notation for matrices",
    sp.transpose: "index notation for matrices",
    sp.exp_polar: "exp of a real expression",
    sp.periodic_argument: "atan2 of real expressions",
    sp.polar_lift: "a real expression; give the symbols real=True",
    sp.principal_branch: "a real expression; give the symbols real=True",
}

_POLYNOMIALS = (
    sp.assoc_laguerre, sp.assoc_legendre, sp.chebyshevt, sp.chebyshevt_root, sp.chebyshevu, sp.chebyshevu_root,
    sp.gegenbauer, sp.hermite, sp.hermite_prob, sp.jacobi, sp.laguerre, sp.legendre, sp.Ynm, sp.Znm,
)  # fmt: skip
_COUNTING = (
    sp.andre, sp.bell, sp.bernoulli, sp.carmichael, sp.catalan, sp.divisor_sigma, sp.euler, sp.fibonacci, sp.genocchi,
    sp.harmonic, sp.jacobi_symbol, sp.kronecker_symbol, sp.legendre_symbol, sp.lucas, sp.mobius, sp.motzkin,
    sp.partition, sp.primenu, sp.primeomega, sp.primepi, sp.reduced_totient, sp.totient, sp.tribonacci, udivisor_sigma,

)  # fmt: skip
_MATHIEU = (sp.mathieus, sp.mathieuc, sp.mathieusprime, sp.mathieucprime)
for _family, _advice in (
    (_POLYNOMIALS, "the polynomial itself: with a number for its degree SymPy writes it out"),
    (_COUNTING, "a number: it counts, and is no function of a real variable"),
    (_MATHIEU, "sin and cos"),
):
    NEAREST |= {f: NEAREST.get(f, _advice) for f in _family}


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
