"""Random kernels, composed from what users write, for the stability law of generated code.

`kernels()` is a Hypothesis strategy. A kernel is either y = g(x, e), a random expression of a clean value, scales and a
standard law, or a density, a product of factors in z = (y - x)/s, y/x or log(y/x)/s. `Trial` compares the emitted
module of a `Subject` with mpmath at random arguments.
"""

from dataclasses import dataclass, field
from unittest import mock

import hypothesis
import hypothesis.strategies as hs
import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import sympy as sp
import sympy.stats as st

import symdsm as sd
from symdsm.codegen.build import module_source
from symdsm.codegen.program import load_source
from symdsm.codegen.source import pointwise_formulas
from symdsm.errors import DeclarationError
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.probe import numeric

__all__ = ["PRECISIONS", "Subject", "Trial", "kernels"]

x, y = sp.symbols("x y", real=True)
xp, yp = sp.symbols("x y", positive=True)
s, t, a, b, w = sp.symbols("s t a b w", positive=True)
loc = sp.Symbol("c", real=True)

# ---- the grammar ----------------------------------------------------------------------------------------------------

SCALES = [s, sp.sqrt(s), 1 / s, s * t, sp.sqrt(s**2 + t**2), s / t, sp.sqrt(s / t)]
POSITIVE_SCALES = [s * xp, s * sp.sqrt(xp), sp.sqrt(s * xp + t), s + t * xp]
LINE_LAWS = [
    lambda m, k: st.Normal("y", m, k),
    lambda m, k: st.Laplace("y", m, k),
    lambda m, k: st.Logistic("y", m, k),
    lambda m, k: st.Cauchy("y", m, k),
    lambda m, k: st.Gumbel("y", k, m),
    lambda m, k: m + k * st.StudentT("e", a),
    lambda m, k: st.ExponentialPower("y", m, k, a),
    lambda m, k: st.Moyal("y", m, k),
]
HALF_LAWS = [
    lambda: st.Gamma("e", a, 1 / a),
    lambda: st.Exponential("e", 1),
    lambda: st.Weibull("e", 1, a),
    lambda: st.LogNormal("e", 0, s),
    lambda: st.BetaPrime("e", a, b),
    lambda: st.GammaInverse("e", a, a),
    lambda: st.Rayleigh("e", 1),
    lambda: st.Maxwell("e", 1),
    lambda: st.Nakagami("e", a, 1),
    lambda: st.Frechet("e", a, 1, 0),
    lambda: st.LogLogistic("e", 1, a),
    lambda: st.Lomax("e", a, 1),
]
AROUND = [sp.Integer(1), s, sp.sqrt(s), 1 / s, s / t]


@hs.composite
def random_forms(draw):
    """y = g(x, e)."""
    kind = draw(hs.sampled_from(["line", "line", "half", "log", "shift"]))
    if kind == "line":
        positive = draw(hs.booleans())
        scale = draw(hs.sampled_from(SCALES + POSITIVE_SCALES if positive else SCALES))
        clean = xp if positive else x
        mean = draw(hs.sampled_from([clean, clean, w * clean, clean + loc, -clean]))
        return sd.Kernel.from_random(draw(hs.sampled_from(LINE_LAWS))(mean, scale), clean)
    noise = draw(hs.sampled_from(HALF_LAWS))()
    if kind == "half":
        power = draw(hs.sampled_from([sp.Integer(1), sp.Integer(1), sp.S.Half, sp.Integer(2)]))
        factor = draw(hs.sampled_from([sp.Integer(1), w, 1 / w]))
        return sd.Kernel.from_random(xp * factor * noise**power, xp)
    if kind == "log":
        law = draw(hs.sampled_from(LINE_LAWS))(sp.Integer(0), sp.Integer(1))
        scale = draw(hs.sampled_from([s, sp.sqrt(s), s / t]))
        return sd.Kernel.from_random(xp * sp.exp(scale * law), xp)
    return sd.Kernel.from_random(x + draw(hs.sampled_from(AROUND)) * noise, x)


LINE_FACTORS = [
    lambda z: sp.exp(-(z**2) / 2),
    lambda z: sp.exp(-sp.Abs(z)),
    lambda z: (1 + z**2 / a) ** (-(a + 1) / 2),
    lambda z: 1 / (1 + z**2),
    lambda z: sp.sech(z),
    lambda z: sp.exp(-sp.sqrt(1 + z**2)),
    lambda z: 1 / (1 + sp.exp(-b * z)),
    lambda z: sp.erfc(-b * z),
    lambda z: sp.exp(-z - sp.exp(-z)),
    lambda z: sp.exp(-(z**4)),
    lambda z: (1 + sp.Abs(z)) ** (-b - 1),
    lambda z: 1 / sp.cosh(z) ** b,
    lambda z: w * sp.exp(-(z**2) / 2) + sp.exp(-(z**2) / (2 * (1 + b))),
    lambda z: 1 + z**2,
]
HALF_FACTORS = [
    lambda r: r ** (a - 1) * sp.exp(-a * r),
    lambda r: r ** (a - 1) / (1 + r) ** (a + b),
    lambda r: r ** (-a - 1) * sp.exp(-a / r),
    lambda r: r ** (a - 1) * sp.exp(-(r**a)),
    lambda r: sp.exp(-(sp.log(r) ** 2) / (2 * s**2)) / r,
    lambda r: r * sp.exp(-(r**2) / 2),
    lambda r: sp.exp(-r) * sp.besseli(0, r / 2),
    lambda r: sp.exp(-(r + 1 / r) * b / 2) / sp.sqrt(r) ** 3,
    lambda r: sp.exp(-sp.sqrt(r)) / sp.sqrt(r),
    lambda r: (1 + r**2) ** (-b - 1),
    lambda r: w * sp.exp(-r) + sp.exp(-r / 2),
]
CONSTANTS = [
    sp.Integer(1),
    1 / s,
    sp.gamma(a + 1) / sp.gamma(a),
    sp.sqrt(a / (2 * sp.pi)),
    1 / (s * sp.sqrt(2 * sp.pi)),
]


@hs.composite
def density_forms(draw):
    """A product of one or two factors, up to a constant; given as a density or as its logarithm."""
    half = draw(hs.booleans())
    if half:
        noisy, clean = yp, xp
        z = draw(hs.sampled_from([yp / xp, yp / s, yp / (w * xp), yp / (xp + s)]))
        factors, support = HALF_FACTORS, sp.Interval.open(0, sp.oo)
    else:
        noisy, clean = y, x
        z = draw(
            hs.sampled_from([(y - x) / s, (y - x) / sp.sqrt(s), (y - x - loc) / s, s * (y - x), (y - w * x) / (s * t)])
        )
        factors, support = LINE_FACTORS, None
    chosen = draw(hs.lists(hs.sampled_from(factors), min_size=1, max_size=2, unique=True))
    f = sp.Mul(draw(hs.sampled_from(CONSTANTS)), *(g(z) for g in chosen))
    if clean not in f.free_symbols:
        f = f * sp.exp(-noisy / clean)
    log = draw(hs.booleans())
    try:
        with mock.patch("symdsm.symbolic.constructors.find_normaliser", lambda declaration: declaration):
            return sd.Kernel.from_density(sp.log(f) if log else f, noisy, clean, support=support, log=log)
    except DeclarationError:
        hypothesis.reject()


def kernels():
    """Any kernel of the grammar."""
    return hs.one_of(random_forms(), density_forms())


# ---- the comparison -------------------------------------------------------------------------------------------------

PRECISIONS = ("float32", "float64")
RANGES = {"float32": 15, "float64": 150}  # of the whole range, powers of ten
NARROW = {"float32": 7, "float64": 60}  # in it a product of five arguments is representable
MARGIN = 1024  # a value within this factor of overflow is not called representable: its half or double may not be


class Subject:
    """A kernel's emitted module, the formulas that it evaluates and, independent of these, the true values."""

    def __init__(self, kernel: sd.Kernel):
        declaration = kernel._declaration
        self.module = load_source(module_source(declaration, "0" * 64), "random")
        self.names = ["y", "x", *(p.name for p in declaration.params)]
        self.symbols = [declaration.noisy, declaration.clean, *declaration.params]
        real = sp.Symbol(declaration.noisy.name, real=True)
        self.inside = numeric(declaration.inside.xreplace({real: declaration.noisy}), self.symbols)
        log_density = plain(declaration.log_density)
        slope = sp.diff(log_density, declaration.noisy).replace(sp.DiracDelta, lambda *_: sp.S.Zero)
        self.truths = {"log_prob": numeric(log_density, self.symbols), "score": numeric(slope, self.symbols)}
        self.formulas = pointwise_formulas(declaration)
        self.stable = {name: numeric(formula, self.symbols) for name, formula in self.formulas.items()}

    def longest(self, name: str) -> int:
        """The most arguments in one product of the formula; a square is multiplied in one factor after the other."""
        return max((_arguments_in(e) for e in sp.preorder_traversal(self.formulas[name])), default=0)

    def overflows(self, name: str, row: list, largest: float) -> bool:
        """Does an argument or a value of a function, or a term of a sum, in the formula exceed `largest`?"""
        for part in sp.preorder_traversal(self.formulas[name]):
            if part.is_Add or isinstance(part, sp.Function) or part.is_Pow and not part.exp.is_Integer:
                for e in (part, *part.args):
                    value = exact_value(numeric(e, self.symbols), row)
                    if value is not None and abs(value) > largest:
                        return True
        return False


def _arguments_in(e) -> int:
    if e.is_Symbol:
        return 1
    if e.is_Mul:
        return sum(map(_arguments_in, e.args))
    if e.is_Add:
        return max(map(_arguments_in, e.args))
    if e.is_Pow and e.exp.is_number:
        return abs(e.exp) * _arguments_in(e.base)
    return 0


@dataclass
class Trial:
    """What the emitted module of one kernel does at `count` random arguments of one precision."""

    subject: Subject
    precision: str
    count: int
    seed: int = 0
    bad: list = field(default_factory=list)  # (function, arguments, value, truth) not finite where the truth is
    worst: dict = field(default_factory=dict)  # function -> largest relative error
    where: dict = field(default_factory=dict)

    def run(self, checked: int):
        """Every value must be finite where the truth is; relative errors of `checked` of them, which may be none."""
        subject = self.subject
        columns = self._arguments(subject.symbols)
        with jax.enable_x64(self.precision == "float64"):
            arrays = {n: jnp.asarray(c, self.precision) for n, c in zip(subject.names, columns, strict=True)}
            y_, x_ = arrays.pop("y"), arrays.pop("x")
            values = {n: np.asarray(getattr(subject.module, n)(y_, x_, **arrays), np.float64) for n in subject.truths}
        for name in subject.truths:
            self._compare(name, columns, values[name], checked)
        return self

    @property
    def largest(self) -> float:
        return float(np.finfo(self.precision).max) / MARGIN

    def unlawful(self) -> list:
        """The bad points that nothing excuses.

        Outside the narrow range, a product of more than three arguments does. So does a part of the formula that
        overflows; but not in the narrow range, when the true value is so small that the part times two arguments would
        still not be it.
        """
        reach = 10.0 ** NARROW[self.precision]
        found = []
        for name, row, value, truth in self.bad:
            narrow = all(1 / reach <= abs(v) <= reach for v in row)
            if not narrow and self.subject.longest(name) > 3:
                continue
            small = narrow and abs(truth) < self.largest / reach**2
            if small or not self.subject.overflows(name, [mpmath.mpf(v) for v in row], self.largest):
                found.append((name, dict(zip(self.subject.names, row, strict=True)), value, truth))
        return found

    def _arguments(self, symbols):
        """Half of the points have moderate magnitudes, a quarter narrow ones; y lies near x in every third."""
        rng = np.random.default_rng(self.seed)
        reach = rng.choice([1.5, 1.5, NARROW[self.precision], RANGES[self.precision] - 0.01], self.count)
        columns = []
        for symbol in symbols:
            size = 10 ** (reach * rng.uniform(-1, 1, self.count))
            sign = 1 if symbol.is_positive else rng.choice([-1, 1], self.count)
            columns.append(sign * size)
        near = rng.random(self.count) < 1 / 3
        columns[0] = np.where(near, columns[1] * (1 + 10 ** rng.uniform(-3, 0.5, self.count)), columns[0])
        columns[0] = np.abs(columns[0]) if symbols[0].is_positive else columns[0]
        return [c.astype(self.precision).astype(np.float64) for c in columns]

    def _compare(self, name, columns, values, checked):
        limits, truth, inside = np.finfo(self.precision), self.subject.truths[name], self.subject.inside
        measured = range(0, self.count, max(1, self.count // checked)) if checked else ()
        for k in [*np.flatnonzero(~np.isfinite(values)), *measured]:
            row = [mpmath.mpf(float(c[k])) for c in columns]
            if not inside(*row) or self._is_far_too_large(name, row):
                continue
            exact = exact_value(truth, row)
            if exact is None or abs(exact) > self.largest or 0 < abs(exact) < limits.tiny:
                continue
            if not np.isfinite(values[k]):
                self.bad.append((name, [float(v) for v in row], float(values[k]), float(exact)))
                continue
            off = abs(mpmath.mpf(float(values[k])) - exact)
            size = abs(exact) + (name == "log_prob")
            if off > 30 * float(limits.eps) * size:
                size += condition(truth, row, exact)
            error = float(off / size) if off else 0.0
            if error > self.worst.get(name, -1.0):
                self.worst[name], self.where[name] = error, ([float(v) for v in row], float(values[k]), float(exact))

    def _is_far_too_large(self, name, row) -> bool:
        """Quickly, by the stable formula: is the value a million times what can be represented?"""
        try:
            value = self.subject.stable[name](*row)
            return mpmath.isfinite(value) and abs(value) > 1e6 * mpmath.mpf(self.largest)
        except (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence):
            return False


def condition(truth, row, exact):
    """How much the value moves when the arguments move by a relative rounding, in units of that rounding."""
    step = mpmath.mpf(10) ** -30
    total = mpmath.mpf(0)
    for i, v in enumerate(row):
        moved = exact_value(truth, [*row[:i], v * (1 + step), *row[i + 1 :]])
        if moved is not None:
            total += abs(moved - exact) / step
    return total


def exact_value(truth, row):
    """The value to 20 digits: at two precisions until they agree; None where it is not a real number."""
    last = None
    for digits in (60, 350, 700, 1400):
        try:
            with mpmath.workdps(digits):
                value = mpmath.mpmathify(truth(*row))
        except (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence):
            return None
        if value.imag != 0 or not mpmath.isfinite(value):
            return None
        value = mpmath.mpf(value.real)
        if last is not None and abs(value - last) <= mpmath.mpf(10) ** -35 * abs(value):
            return value
        last = value
    return None
