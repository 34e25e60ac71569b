"""Kernel: the front door to the rooms.

    kernel = Kernel.from_random(x * st.Gamma("e", L, 1 / L), clean=x, level=L)
    kernel.score                 SymPy
    kernel.check()               is denoising score matching valid for it?
    program = kernel.compile()   JAX
    kernel.write("speckle.py")   the same code as a file

A kernel holds a declaration and asks the rooms; it derives nothing itself.
"""

from functools import cached_property
from pathlib import Path

import sympy as sp

from symdsm.codegen.build import build_program, write_module
from symdsm.codegen.program import Program
from symdsm.errors import DeclarationError
from symdsm.symbolic import constructors, derive
from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.product import product
from symdsm.symbolic.regularity import Regularity, check_regularity
from symdsm.symbolic.serialise import digest, dumps, loads

__all__ = ["Kernel", "load"]

_programs: dict[str, Program] = {}


class Kernel:
    """A noise kernel p(y | x), the clean value x and the noisy value y.

    Build one with `from_random`, `from_density`, `from_sde`, `mixture`, `product` or `change`. Scalar symbols mean
    the same noise on every entry of an array of any shape; coupled kernels are written in index notation.

    Attributes: `log_density`, `score`, `level_score`, `support` (SymPy), `params` (every parameter, sorted by name,
    the level included), `level`, `noisy`, `clean`, `normalised` (True, False or None).
    """

    def __init__(self, declaration: Declaration, names: dict[sp.Symbol, sp.Symbol] | None = None):
        self._declaration = declaration
        self._names = names or {}

    @classmethod
    def from_random(cls, expr: sp.Expr, clean: sp.Symbol, level: sp.Symbol | None = None) -> "Kernel":
        """y = expr, an expression in the clean symbol that holds one continuous random symbol of sympy.stats.

        `st.Normal("y", x, s)`, `x*st.Gamma("e", L, 1/L)` and `x + s*st.StudentT("z", nu)` are examples. The change
        of variables is solved symbolically, every branch counted. Raises DeclarationError.
        """
        names, (expr, clean, level) = _as_real(expr, clean, level)
        return cls(constructors.from_random(expr, clean, level), names)

    @classmethod
    def from_density(cls, f, noisy, clean, support=None, level=None, log: bool = False) -> "Kernel":
        """The kernel with density f, or log density f when log=True; f may miss any factor without y.

        `support` is a SymPy Set that may contain x; without it the noisy symbol's assumptions decide. Raises
        DeclarationError.
        """
        if isinstance(noisy, sp.IndexedBase):
            return cls(constructors.from_density(f, noisy, clean, support, level, log))
        names, (f, noisy, clean, support, level) = _as_real(f, noisy, clean, support, level)
        return cls(constructors.from_density(f, noisy, clean, support, level, log), names)

    @classmethod
    def from_sde(cls, drift, diffusion, state, time, clean=None, initial=None) -> "Kernel":
        """The transition kernel of the linear SDE d state = drift dt + diffusion dw; the level is `time`.

        Scalar: expressions and a symbol. Vector: `state` a Matrix of symbols, `drift` and `diffusion` Matrices;
        `clean={x1: X}` names the components that data give, `initial={v: st.Normal("v0", 0, s)}` the law from which
        the others start. The noisy value of a vector SDE has its components on the last axis. Raises
        DeclarationError for a drift that is not linear in the state, DerivationError without a closed form.
        """
        return cls(constructors.from_sde(drift, diffusion, state, time, clean, initial))

    @classmethod
    def product(cls, blocks: "dict[str, Kernel]") -> "Kernel":
        """Independent blocks; clean and noisy values are dicts of arrays. Raises DeclarationError."""
        source = ("product", {name: kernel._declaration.source for name, kernel in blocks.items()})
        return cls(product({name: kernel._declaration for name, kernel in blocks.items()}, source))

    @classmethod
    def mixture(cls, parts: "dict[Kernel, sp.Expr]") -> "Kernel":
        """sum_k w_k p_k(y | x); weights are SymPy expressions that add to one. Raises DeclarationError."""
        total = sp.simplify(sp.Add(*map(sp.sympify, parts.values())))
        if total != 1 or not parts:
            raise DeclarationError(
                given=f"weights that add to {total}",
                expected="weights that add to 1",
                fix="use w and 1 - w, say",
            )
        pairs = tuple((kernel._declaration, sp.sympify(w)) for kernel, w in parts.items())
        return cls(constructors.mixture(pairs))

    def change(self, transform, clean: bool = False) -> "Kernel":
        """The same noise in the coordinate u = transform(y); with clean=True the clean value moves as well."""
        return Kernel(constructors.change(self._declaration, transform, clean), self._names)

    def _public(self, expr):
        if isinstance(expr, dict):
            return {name: self._public(e) for name, e in expr.items()}
        if isinstance(expr, sp.MatrixBase):
            return expr.applyfunc(self._public)
        return plain(expr).xreplace(self._names) if isinstance(expr, sp.Expr) else expr.xreplace(self._names)

    @property
    def noisy(self):
        return self._public(self._declaration.noisy)

    @property
    def clean(self):
        return self._public(self._declaration.clean)

    @property
    def level(self):
        return self._names.get(self._declaration.level, self._declaration.level)

    @property
    def params(self) -> tuple[sp.Symbol, ...]:
        return tuple(self._names.get(s, s) for s in self._declaration.params)

    @property
    def support(self) -> sp.Set:
        return self._public(self._declaration.support)

    @property
    def normalised(self) -> bool | None:
        return self._declaration.normalised

    @property
    def event_ndim(self) -> int:
        return self._declaration.event_ndim

    @cached_property
    def log_density(self) -> sp.Expr:
        """log p(y | x), SymPy, on the support."""
        return self._public(self._declaration.log_density)

    @cached_property
    def score(self) -> sp.Expr:
        """d/dy log p(y | x), SymPy."""
        return self._read(derive.score(self._declaration))

    def _read(self, expr):
        if isinstance(expr, dict):
            return {name: self._read(e) for name, e in expr.items()}
        if isinstance(expr, sp.MatrixBase):
            return expr.applyfunc(self._read)
        if isinstance(self._declaration, CoupledDeclaration):
            return plain(expr)
        return derive.readable(expr).xreplace(self._names)

    @cached_property
    def level_score(self) -> sp.Expr:
        """d/dlevel log p(y | x), SymPy. Raises DerivationError without a level or a normaliser."""
        return self._read(derive.level_score(self._declaration))

    def check(self) -> Regularity:
        """Which conditions of Vincent's identity hold, as a Regularity that prints as half a page."""
        return self._regularity

    @cached_property
    def _regularity(self) -> Regularity:
        return check_regularity(self._declaration)

    def compile(self) -> Program:
        """The generated JAX program, its score compared with autodiff of its own log density. Cached."""
        if self.digest not in _programs:
            _programs[self.digest] = build_program(self._declaration, self.digest)
        return _programs[self.digest]

    def write(self, path: str | Path) -> Path:
        """Write the generated module (and its helper, when it needs one); it runs without SymPy and symdsm."""
        return write_module(self._declaration, self.digest, Path(path))

    def distribution(self, x, **params):
        """p(. | x) as a NumPyro distribution. Raises DerivationError when the normaliser is not known."""
        from symdsm.inference.priors import kernel_distribution

        return kernel_distribution(self, x, **params)

    def to_json(self) -> str:
        """The declaration as JSON; `Kernel.from_json` reads it without evaluating Python."""
        return dumps(self._declaration.source)

    @classmethod
    def from_json(cls, text: str) -> "Kernel":
        return _from_source(loads(text))

    @cached_property
    def digest(self) -> str:
        """A hash of the declaration, the same on every platform."""
        return digest(self._declaration.source)

    def __eq__(self, other) -> bool:
        return isinstance(other, Kernel) and self._declaration == other._declaration

    def __hash__(self) -> int:
        return hash(self._declaration)

    def __reduce__(self):
        return _from_json, (self.to_json(),)

    def __repr__(self) -> str:
        level = f", level={self.level}" if self.level is not None else ""
        return f"Kernel(log p({self.noisy} | {self.clean}) = {self.log_density}{level})"

    def _repr_latex_(self) -> str:
        y, x = sp.latex(self.noisy), sp.latex(self.clean)
        return (
            rf"$\begin{{aligned}}\log p({y}\mid {x}) &= {sp.latex(self.log_density)}\\"
            rf"\partial_{{{y}}}\log p({y}\mid {x}) &= {sp.latex(self.score)}\end{{aligned}}$"
        )


def _as_real(*expressions):
    """Symbols without assumptions are taken as real, integer shapes as real ones; `names` gives the user's back.

    (SymPy writes loggamma of an integer symbol as log(gamma(k)), which overflows.)
    """
    free = set()
    for e in expressions:
        if isinstance(e, sp.Basic):
            free |= {s for s in e.free_symbols if isinstance(s, sp.Symbol) and (s.is_real is None or s.is_integer)}
    to_real = {s: _real_symbol(s) for s in free if s.is_commutative}
    moved = [e.xreplace(to_real) if isinstance(e, sp.Basic) else e for e in expressions]
    return {real: s for s, real in to_real.items()}, moved


def _real_symbol(symbol: sp.Symbol) -> sp.Symbol:
    facts = {f: True for f in ("positive", "nonnegative", "negative") if getattr(symbol, f"is_{f}")}
    return sp.Symbol(symbol.name, real=True, **facts)


def _from_json(text: str) -> Kernel:
    return Kernel.from_json(text)


def _from_source(source) -> Kernel:
    """Call the constructor that a stored declaration names."""
    kind, *rest = source
    if kind == "change":
        inner, moved, clean = rest
        (symbol,) = moved.free_symbols
        return _from_source(inner).change(lambda value: moved.xreplace({symbol: value}), clean)
    if kind == "mixture":
        return Kernel.mixture({_from_source(part): weight for part, weight in rest[0]})
    if kind == "product":
        return Kernel.product({name: _from_source(block) for name, block in rest[0].items()})
    simple = {"random": Kernel.from_random, "density": Kernel.from_density, "sde": Kernel.from_sde}
    if kind not in simple:
        raise DeclarationError(
            given=f"a stored declaration of kind {kind!r}",
            expected=f"one of {', '.join([*simple, 'change', 'mixture', 'product'])}",
            fix="write it again with Kernel.to_json of this version",
        )
    return simple[kind](*rest)


def load(path):
    """A fit that `Fit.save` wrote, with its kernel rebuilt from JSON; nothing in the file is executed."""
    from symdsm.learning.checkpoint import load_fit

    return load_fit(path, Kernel.from_json)
