"""The SymPy classes that a stored declaration may hold, by name; nothing else is ever written or built.

A head is a class whose instances are rebuilt from their arguments. Names are looked up in these tables
only, so a text can never name a module or an attribute.
"""

import sympy as sp
from sympy.stats import crv_types, joint_rv_types
from sympy.stats.crv import SingleContinuousDistribution

from symdsm.symbolic import indexed_nodes
from symdsm.symbolic.manifolds import Simplex, Sphere
from symdsm.symbolic.nodes import NODES

__all__ = ["CONSTANTS", "DISTRIBUTIONS", "FUNCTIONS", "HEADS", "UNORDERED"]

CONSTANTS = {
    "pi": sp.pi, "E": sp.E, "oo": sp.oo, "-oo": -sp.oo, "EulerGamma": sp.EulerGamma, "true": sp.true,
    "false": sp.false, "Reals": sp.S.Reals, "Integers": sp.S.Integers, "Naturals": sp.S.Naturals,
    "Naturals0": sp.S.Naturals0, "EmptySet": sp.S.EmptySet, "UniversalSet": sp.S.UniversalSet,
}  # fmt: skip

_ELEMENTARY = (
    sp.exp, sp.log, sp.Abs, sp.sign, sp.Max, sp.Min, sp.Heaviside, sp.floor, sp.ceiling, sp.Mod,
    sp.sin, sp.cos, sp.tan, sp.cot, sp.sec, sp.csc, sp.asin, sp.acos, sp.atan, sp.atan2, sp.sinc,
    sp.sinh, sp.cosh, sp.tanh, sp.coth, sp.sech, sp.csch, sp.asinh, sp.acosh, sp.atanh,
)  # fmt: skip
_SPECIAL = (
    sp.gamma, sp.loggamma, sp.polygamma, sp.digamma, sp.beta, sp.lowergamma, sp.uppergamma, sp.factorial, sp.binomial,
    sp.erf, sp.erfc, sp.erfi, sp.erfinv, sp.erfcinv, sp.LambertW, sp.zeta, sp.expint, sp.Ei,
    sp.besseli, sp.besselj, sp.besselk, sp.bessely, sp.KroneckerDelta,
)  # fmt: skip
_COUPLED = (indexed_nodes.LogDet, indexed_nodes.LogSumExp, indexed_nodes.Mask, indexed_nodes.Solve)
FUNCTIONS = {cls.__name__: cls for cls in (*_ELEMENTARY, *_SPECIAL, *NODES)}

_STRUCTURE = (
    sp.Add, sp.Mul, sp.Pow, sp.Tuple, sp.Lambda, sp.IndexedBase, sp.Indexed, sp.Idx, sp.Sum, sp.Product, sp.Piecewise,
    sp.And, sp.Or, sp.Not, sp.Eq, sp.Ne, sp.Lt, sp.Le, sp.Gt, sp.Ge, sp.Contains,
    sp.Interval, sp.Union, sp.Intersection, sp.Complement, sp.FiniteSet, sp.ProductSet, Simplex, Sphere,
)  # fmt: skip
HEADS = FUNCTIONS | {
    cls.__name__: cls for cls in (*_STRUCTURE, *_COUPLED, sp.functions.elementary.piecewise.ExprCondPair)
}
UNORDERED = {"Add", "Mul", "And", "Or", "Union", "Intersection", "FiniteSet", "Max", "Min"}

_JOINT = (
    "MultivariateNormal", "MultivariateLaplace", "MultivariateT", "MultivariateBeta", "NormalGamma",
    "GeneralizedMultivariateLogGamma",
)  # fmt: skip
DISTRIBUTIONS = {
    name: cls
    for name, cls in vars(crv_types).items()
    if isinstance(cls, type)
    and issubclass(cls, SingleContinuousDistribution)
    and cls is not SingleContinuousDistribution
} | {f"{name}Distribution": getattr(joint_rv_types, f"{name}Distribution") for name in _JOINT}
