"""SymPy to JAX source, strictly: what has no JAX form fails here, never at run time.

Every function goes through one table (codegen/lookup.py) and is always printed as a call, so that it keeps its
parentheses inside 1/f and f**2 (compare sympy#30199). Integer powers are products, branches are safe: in
where(condition, a, b) each branch sees an argument at which it is finite, so that its gradient is finite too. The
order of factors is that of codegen/products.py.
"""

from collections.abc import Mapping

import sympy as sp

from symdsm.codegen.lookup import TABLE
from symdsm.codegen.products import balanced, in_order
from symdsm.errors import CodegenError
from symdsm.symbolic.nearest import NEAREST
from symdsm.symbolic.nodes import BesselIRatio, LogBesselI, LogBesselIe

__all__ = ["JaxPrinter"]

_ATOM, _POWER, _UNARY, _PRODUCT, _SUM, _COMPARE, _LOGIC = range(7)


# Orders 0 and 1 are in jax.scipy.special already.
_SIMPLE_ORDERS = {
    (LogBesselI, sp.S.Zero): "jnp.log(jsp.i0e({0})) + jnp.abs({0})",
    (LogBesselIe, sp.S.Zero): "jnp.log(jsp.i0e({0}))",
    (LogBesselIe, sp.S.One): "jnp.log(jsp.i1e({0}))",
    (LogBesselI, sp.S.One): "jnp.log(jsp.i1e({0})) + jnp.abs({0})",
    (BesselIRatio, sp.S.Zero): "jsp.i1e({0}) / jsp.i0e({0})",
}


class JaxPrinter:
    """doprint(expr) -> str. `names` gives the Python name of a symbol when it is not its own."""

    def __init__(self, names: Mapping[sp.Basic, str] | None = None):
        self.names = dict(names or {})
        self.modules: set[str] = set()

    def doprint(self, expr: sp.Basic) -> str:
        return self._print(sp.sympify(expr, strict=True))[0]

    def _print(self, expr: sp.Basic) -> tuple[str, int]:
        """The text and how tightly it binds."""
        if expr in self.names:
            return self.names[expr], _ATOM
        for cls in type(expr).__mro__:
            method = getattr(self, f"_print_{cls.__name__}", None)
            if method is not None:
                return method(expr)
        raise self._unknown(expr)

    def _at(self, expr: sp.Basic, binding: int) -> str:
        text, own = self._print(expr)
        return f"({text})" if own > binding else text

    def _unknown(self, expr):
        name = type(expr).__name__ if expr.args else str(expr)
        known = NEAREST.get(type(expr))
        nearest = f"use {known}" if known else "write the density with functions of jax.numpy or jax.scipy.special"
        return CodegenError(given=f"{expr}, which holds {name}", expected="functions that have a JAX form", fix=nearest)

    def _print_Symbol(self, expr):
        return expr.name, _ATOM

    def _print_Integer(self, expr):
        return str(expr.p), _ATOM if expr.p >= 0 else _UNARY

    def _print_Rational(self, expr):
        p, q = expr.p, expr.q
        while q % 2 == 0:
            q //= 2
        while q % 5 == 0:
            q //= 5
        if q == 1 and expr.q <= 10**6:
            return repr(p / expr.q), _ATOM if p >= 0 else _UNARY
        return f"{p} / {expr.q}", _PRODUCT

    def _print_Float(self, expr):
        return repr(float(expr)), _ATOM if expr >= 0 else _UNARY

    def _print_Pi(self, expr):
        return "jnp.pi", _ATOM

    def _print_Exp1(self, expr):
        return "jnp.e", _ATOM

    def _print_EulerGamma(self, expr):
        return "jnp.euler_gamma", _ATOM

    def _print_NumberSymbol(self, expr):
        return repr(float(expr)), _ATOM

    def _print_Infinity(self, expr):
        return "jnp.inf", _ATOM

    def _print_NegativeInfinity(self, expr):
        return "-jnp.inf", _UNARY

    def _print_BooleanTrue(self, expr):
        return "True", _ATOM

    def _print_BooleanFalse(self, expr):
        return "False", _ATOM

    def _print_Add(self, expr):
        terms = list(expr.as_ordered_terms())
        terms.sort(key=lambda t: t.could_extract_minus_sign())
        text = ""
        for term in terms:
            negative = term.could_extract_minus_sign()
            body = self._at(-term if negative else term, _PRODUCT)
            if not text:
                text = f"-{body}" if negative else body
            else:
                text += f" - {body}" if negative else f" + {body}"
        return text, _SUM

    def _print_Mul(self, expr):
        coefficient, rest = expr.as_coeff_Mul()
        if coefficient.is_negative:
            return f"-{self._at(-expr, _PRODUCT)}", _UNARY if (-expr).is_Atom else _PRODUCT
        above, below = [], []
        for factor in expr.as_ordered_factors():
            if factor.is_Rational and factor.q != 1:
                above += [sp.Integer(factor.p)] if factor.p != 1 else []
                below.append(sp.Integer(factor.q))
            elif factor.is_Pow and factor.exp.is_Rational and factor.exp.is_negative:
                below.append(sp.Pow(factor.base, -factor.exp, evaluate=factor.base is not sp.E))
            else:
                above.append(factor)
        above, last = in_order(above, below)
        before, above, below = balanced(above, below)
        text = " * ".join(self._at(f, _PRODUCT) for f in above) or "1"
        for factors in below:
            product = " * ".join(self._at(f, _PRODUCT) for f in factors)
            text = f"{text} / {self._at(factors[0], _UNARY) if len(factors) == 1 else f'({product})'}"
        if before:
            text = " * ".join([*(self._at(f, _PRODUCT) for f in before), f"({text})"])
        return " * ".join([text, *(self._at(f, _PRODUCT) for f in last)]), _PRODUCT

    def _print_Pow(self, expr):
        base, power = expr.args
        if base is sp.E:
            return f"jnp.exp({self.doprint(power)})", _ATOM
        if power == sp.S.Half:
            return f"jnp.sqrt({self.doprint(base)})", _ATOM
        if power == -sp.S.Half:
            return f"1 / jnp.sqrt({self.doprint(base)})", _PRODUCT
        if power == -1:
            return f"1 / {self._at(base, _UNARY)}", _PRODUCT
        if power.is_Integer and 2 <= power <= 3:
            factor = self._at(base, _POWER)
            return " * ".join([factor] * int(power)), _PRODUCT
        if power.is_Integer and power < 0:
            return f"1 / {self._at(base**-power, _UNARY)}", _PRODUCT
        return f"{self._at(base, _ATOM)} ** {self._at(power, _ATOM)}", _POWER

    def _print_exp(self, expr):
        return f"jnp.exp({self.doprint(expr.args[0])})", _ATOM

    def _print_Function(self, expr):
        if isinstance(expr, sp.polygamma) and expr.args[0] == 0:
            return f"jsp.digamma({self.doprint(expr.args[1])})", _ATOM
        simple = _SIMPLE_ORDERS.get((type(expr), expr.args[0]))
        if simple is not None:
            return simple.format(self.doprint(expr.args[1])), _SUM
        target = TABLE.get(type(expr))
        if target is None:
            raise self._unknown(expr)
        self.modules.add(target.split(".")[0])
        if isinstance(expr, (sp.Max, sp.Min)):
            return self._fold(target, expr.args), _ATOM
        return f"{target}({', '.join(self.doprint(a) for a in expr.args)})", _ATOM

    _print_Max = _print_Min = _print_Abs = _print_Function

    def _fold(self, target, args):
        ordered = sorted(args, key=sp.default_sort_key)
        text = self.doprint(ordered[0])
        for a in ordered[1:]:
            text = f"{target}({text}, {self.doprint(a)})"
        return text

    def _print_Piecewise(self, expr):
        (value, condition), *rest = expr.args
        if condition == sp.true:
            return self._print(value)
        if not rest:
            return f"jnp.where({self.doprint(condition)}, {self.doprint(value)}, jnp.nan)", _ATOM
        other = sp.Piecewise(*rest)
        return f"jnp.where({self.doprint(condition)}, {self.doprint(value)}, {self.doprint(other)})", _ATOM

    def _relation(self, expr, sign):
        return f"{self._at(expr.lhs, _SUM)} {sign} {self._at(expr.rhs, _SUM)}", _COMPARE

    def _print_StrictGreaterThan(self, expr):
        return self._relation(expr, ">")

    def _print_GreaterThan(self, expr):
        return self._relation(expr, ">=")

    def _print_StrictLessThan(self, expr):
        return self._relation(expr, "<")

    def _print_LessThan(self, expr):
        return self._relation(expr, "<=")

    def _print_Equality(self, expr):
        return self._relation(expr, "==")

    def _print_Unequality(self, expr):
        return self._relation(expr, "!=")

    def _print_And(self, expr):
        parts = sorted(expr.args, key=sp.default_sort_key)
        return " & ".join(self._at(a, _SUM) for a in parts), _LOGIC

    def _print_Or(self, expr):
        parts = sorted(expr.args, key=sp.default_sort_key)
        return " | ".join(self._at(a, _SUM) for a in parts), _LOGIC

    def _print_Not(self, expr):
        return f"~{self._at(expr.args[0], _ATOM)}", _UNARY
