"""Functions of SymPy that no kernel can hold, because they have no JAX form, and what to use instead."""

import sympy as sp
from sympy.functions import udivisor_sigma

__all__ = ["NEAREST"]

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
    sp.appellf1: "a Sum",
    sp.riemann_xi: "zeta and gamma",
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
    sp.hn1: "sin and cos: spherical Bessel functions of whole order are elementary (expand_func)",
    sp.hn2: "sin and cos: spherical Bessel functions of whole order are elementary (expand_func)",
    sp.marcumq: "the density of the law itself: the Rice law has besseli(0, x) where its distribution has marcumq",
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
