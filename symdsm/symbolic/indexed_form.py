"""The normal form of a log density in index notation.

What is written is read once and rewritten so that every later step is simple:

- every bound index becomes a fresh `Axis`, so that no two sums share a letter (SymPy's own derivative of
  (sum_j Y_j)^2 by Y_j captures j and is wrong);
- arrays and scalars are real (SymPy's derivative of |Y| of a complex Y is of no use);
- limits of a sum are free of other indices: a triangular sum is a full sum of a `Mask`;
- sums of at most eight terms with numeric limits are written out;
- a Piecewise is a sum of `Mask`s (SymPy pulls the branches of a Piecewise out of sums that bind its conditions);
- log(Product) is Sum(log), log(exp(a)) is a, and the log of a sum of exponentials is a `LogSumExp`.

A factor of the argument of a log need not be positive by itself, so log(u) of a factor u is written log|u|.
"""

from dataclasses import dataclass, field

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic import logs
from symdsm.symbolic.indexed_nodes import Axis, LogDet, LogSumExp, Mask, Solve, split_exp
from symdsm.symbolic.nodes import Log1p, LogAbs

__all__ = ["Form", "exact_log", "extreme"]

_UNROLL = 8
_SUMS = (sp.Sum, sp.Product, LogSumExp)


def extreme(e, ranges, upper: bool):
    """The largest (or least) value of an index expression over the ranges of its axes, as an expression in sizes."""
    e = sp.sympify(e)
    axes = sorted((s for s in e.free_symbols if s in ranges), key=lambda s: s.dummy_index)
    if not axes:
        return e
    if isinstance(e, sp.Mod):
        return e.args[1] - 1 if upper else sp.S.Zero
    if isinstance(e, (sp.floor, sp.ceiling)):
        return e.func(extreme(e.args[0], ranges, upper))
    inner = [a for a in axes if not any(a in sp.Tuple(*ranges[b]).free_symbols for b in axes)]
    slope = sp.expand(e).coeff(inner[0], 1) if inner else sp.nan
    if not slope.is_number or inner[0] in (sp.expand(e) - slope * inner[0]).free_symbols:
        raise DeclarationError(
            given=f"the index {e}",
            expected="an index that is linear in the bound indices, or Mod(.., n)",
            fix="write shifts, strides, reversals or Mod: y[i + 1], y[2*i], y[n - 1 - i], y[Mod(i + 1, n)]",
        )
    low, high = ranges[inner[0]]
    return extreme(sp.expand(e).subs(inner[0], high if (slope > 0) == upper else low), ranges, upper)


def exact_log(f):
    """The log of a positive whole, taken apart where a product, a power or an exponential allows it."""
    if isinstance(f, sp.Product):
        return sp.Sum(exact_log(f.function), *f.limits)
    if isinstance(f, sp.Sum) and split_exp(f.function)[1] != 0:
        return LogSumExp(f.function, *f.limits)
    if isinstance(f, sp.Mul):
        return sp.Add(*map(exact_log, f.args))
    if isinstance(f, sp.Pow) and not isinstance(f, sp.exp):
        return f.exp * exact_log(f.base)
    if isinstance(f, sp.Function) or (f.is_Add and f.has(sp.exp) and len(f.args) == 2):
        return _plain_log(logs.exact_log(f), f)
    return _log(f if f.is_nonnegative else sp.Abs(f))


def _log(f):
    one, rest = f.as_coeff_Add()
    return Log1p(rest) if one == 1 and rest != 0 else sp.log(f)


def _plain_log(logarithm, f):
    return sp.log(f) if logarithm == LogAbs(f) else logarithm


def _can_be_taken_apart(f):
    if isinstance(f, (sp.Mul, sp.Pow)):
        return f.has(sp.exp, sp.Product)
    return isinstance(f, (sp.Product, sp.Sum, sp.Function)) or (f.is_Add and f.has(sp.exp) and len(f.args) == 2)


@dataclass
class Form:
    """Rewrites expressions; remembers what it met: the range of each axis and every index that was used."""

    rename: dict  # the user's bases and scalar symbols -> real ones
    ranges: dict = field(default_factory=dict)  # Axis -> (low, high) as written, may hold outer axes
    sizes: set = field(default_factory=set)

    def of(self, e, scope=None):
        """The normal form of e, where `scope` maps the user's bound indices to axes."""
        scope = scope or {}
        if isinstance(e, sp.Indexed):
            return self.rename.get(e.base, e.base)[tuple(i.xreplace(scope) for i in e.indices)]
        if isinstance(e, (sp.Symbol, sp.Idx)):
            return scope.get(e, self.rename.get(e, e))
        if isinstance(e, _SUMS):
            return self._sum(e, scope)
        if isinstance(e, LogDet):
            return LogDet(self._matrix(e.args[0], e.args[1] if len(e.args) == 2 else None, scope), *e.args[1:])
        if isinstance(e, Solve):
            matrix, size, rhs, index, form = e.args
            self.sizes |= size.free_symbols
            axis = self._axis(rhs.variables[0].name, 0, size - 1)
            body = self.of(rhs.expr, {**scope, rhs.variables[0]: axis})
            solved = index.xreplace(scope)
            return Solve(self._matrix(matrix, size, scope), size, sp.Lambda(axis, body), solved, form)
        if isinstance(e, sp.KroneckerDelta):
            a, b = (self.of(a, scope) for a in e.args[:2])
            return Mask(1, sp.Eq(a, b))
        if isinstance(e, sp.Piecewise):
            return self._branches(e, scope)
        if isinstance(e, sp.log):
            argument = self.of(e.args[0], scope)
            apart = _can_be_taken_apart(argument) and not argument.is_number
            return exact_log(argument) if apart else _log(argument)
        if not e.args:
            return e
        if isinstance(e, Mask):
            return Mask(self.of(e.args[0], scope), self.of(e.args[1], scope))
        return e.func(*(self.of(a, scope) for a in e.args)).replace(sp.Heaviside, _heaviside)

    def _branches(self, e, scope):
        """Each branch masked by its condition and by the failure of the earlier ones."""
        total, earlier = sp.S.Zero, sp.false
        for value, condition in e.args:
            condition = self.of(condition, scope)
            total += Mask(self.of(value, scope), sp.And(condition, sp.Not(earlier)))
            earlier = sp.Or(earlier, condition)
        return total

    def _axis(self, name, low, high):
        axis = Axis(name)
        self.ranges[axis] = (sp.sympify(low), sp.sympify(high))
        return axis

    def _matrix(self, matrix, size, scope):
        if not isinstance(matrix, sp.Lambda):
            return sp.Symbol(matrix.name)
        self.sizes |= size.free_symbols
        axes = [self._axis(v.name, 0, size - 1) for v in matrix.variables]
        return sp.Lambda(tuple(axes), self.of(matrix.expr, {**scope, **dict(zip(matrix.variables, axes, strict=True))}))

    def _sum(self, e, scope):
        scope, limits, condition = dict(scope), [], sp.true
        for limit in reversed(e.limits):
            low, high = (bound.xreplace(scope) for bound in limit[1:])
            axis = self._axis(getattr(limit[0], "name", str(limit[0])), low, high)
            outer = low.free_symbols | high.free_symbols
            self.sizes |= {s for s in outer if not isinstance(s, Axis)}
            if any(isinstance(s, Axis) for s in low.free_symbols):
                condition = sp.And(condition, sp.Ge(axis, low))
            if any(isinstance(s, Axis) for s in high.free_symbols):
                condition = sp.And(condition, sp.Le(axis, high))
            scope[limit[0]] = axis
            limits.append((axis, extreme(low, self.ranges, False), extreme(high, self.ranges, True)))
        body = self.of(e.function, scope)
        if condition != sp.true:
            body = Mask(body, condition) if not isinstance(e, sp.Product) else 1 + Mask(body - 1, condition)
        limits.reverse()
        return self._unrolled(e.func, body, limits)

    def _unrolled(self, kind, body, limits):
        """Short numeric sums written out term by term; the rest stays a sum."""
        rest = []
        for axis, low, high in limits:
            count = high - low + 1
            if kind is LogSumExp or not (count.is_Integer and count <= _UNROLL):
                rest.append((axis, low, high))
                continue
            terms = [self._copy(body, {axis: low + k}) for k in range(int(count))]
            body = sp.Add(*terms) if kind is sp.Sum else sp.Mul(*terms)
            self.ranges.pop(axis)
        if not rest:
            return body
        if kind is sp.Sum and isinstance(body, sp.Sum):
            return sp.Sum(body.function, *body.limits, *rest)
        return kind(body, *rest)

    def _copy(self, body, values):
        """The body with values for an axis; inner sums get axes of their own."""
        inner = {a for a in body.atoms(Axis) if a not in body.free_symbols}
        fresh = {a: self._axis(a.name, *self.ranges[a]) for a in sorted(inner, key=lambda a: a.dummy_index)}
        for axis in fresh.values():
            self.ranges[axis] = tuple(sp.sympify(b).xreplace({**fresh, **values}) for b in self.ranges[axis])
        return body.xreplace({**fresh, **values})


def _heaviside(u, *_):
    return Mask(1, u > 0)
