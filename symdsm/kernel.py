"""Kernel: the front door to the rooms.

    kernel = Kernel.from_random(x * st.Gamma("e", L, 1 / L), clean=x, level=L)
    kernel.score                 SymPy
    kernel.check()               is denoising score matching valid for it?
    program = kernel.compile()   JAX
    kernel.write("speckle.py")   the same code as a file

A kernel holds a declaration and asks the rooms; it derives nothing itself.
"""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import sympy as sp

from symdsm.arguments import (
    admissible_values,
    as_column,
    as_real,
    check_coordinate,
    check_declared,
    check_parts,
    check_scalar,
    check_sde,
    check_support,
    check_weights,
)
from symdsm.codegen.build import build_program, write_module
from symdsm.codegen.program import Program
from symdsm.describe import latex, one_line
from symdsm.errors import ParameterError
from symdsm.stored import rebuild
from symdsm.symbolic import constructors, derive, joint_check  # noqa: F401
from symdsm.symbolic.array_declaration import ArrayDeclaration
from symdsm.symbolic.circular import from_circular_density
from symdsm.symbolic.compose_arrays import change_of, mixture_of
from symdsm.symbolic.coupled import from_coupled
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.information import fisher_information
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.joint_dirichlet import as_dirichlet
from symdsm.symbolic.joint_random import from_random_vector, is_vector
from symdsm.symbolic.meaning import outline, same
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.process import Process, process
from symdsm.symbolic.product import ProductDeclaration, product
from symdsm.symbolic.proof import proof as written_proof
from symdsm.symbolic.regularity import Regularity, check_regularity
from symdsm.symbolic.serialise import digest, dumps, loads
from symdsm.symbolic.sources import replaced
from symdsm.symbolic.tweedie import tweedie
from symdsm.symbolic.vector import VectorDeclaration

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Kernel", "load"]

AnyDeclaration = Declaration | VectorDeclaration | JointDeclaration | ArrayDeclaration | ProductDeclaration

_programs: dict[str, Program] = {}


class Kernel:
    """A noise kernel p(y | x), the clean value x and the noisy value y.

    Build one with `from_random`, `from_density`, `from_sde`, `mixture`, `product` or `change`. Scalar symbols mean
    the same noise on every entry of an array of any shape; coupled kernels are written in index notation.

    Attributes: `log_density`, `score`, `level_score`, `support` (SymPy), `params` (every parameter, sorted by name,
    the level included), `level`, `noisy`, `clean`, `normalised` (True, False or None).
    """

    def __init__(self, declaration: AnyDeclaration, names: dict[sp.Symbol, sp.Symbol] | None = None):
        self._declaration = declaration
        self._names = names or {}

    @classmethod
    def from_random(cls, expr, clean, level=None) -> "Kernel":
        """y = expr, an expression in the clean symbol that holds one continuous random symbol of sympy.stats.

        `st.Normal("y", x, s)`, `x*st.Gamma("e", L, 1/L)` and `x + s*st.StudentT("z", nu)` are examples. The change
        of variables is solved symbolically, every branch counted.

        Several coordinates: `expr` a column `sp.Matrix([..])` with as many random symbols, or a joint distribution
        such as `st.MultivariateT("y", [x1, x2], S, nu)`; `clean` a symbol or `sp.Matrix([x1, x2])`. The noisy value
        then has its components on the last axis, log_prob is one number for each event. Raises DeclarationError.
        """
        expr, clean = as_column(expr), as_column(clean)
        check_declared(expr, level, clean=clean)
        names, (expr, clean, level) = as_real(expr, clean, level)
        dirichlet = as_dirichlet(expr, clean, level)
        if dirichlet is not None:
            return cls(from_coupled(*dirichlet, log=True), names)
        if is_vector(expr, clean):
            return cls(from_random_vector(expr, clean, level), names)
        return cls(constructors.from_random(expr, clean, level), names)

    @classmethod
    def from_density(cls, f, noisy, clean, support=None, level=None, log: bool = False, period=None) -> "Kernel":
        """The kernel with density f, or log density f when log=True; f may miss any factor without y.

        `support` is a SymPy Set that may contain x; without it the noisy symbol's assumptions decide. For an array
        y it is the range of each entry, or `sd.Simplex()` or `sd.Sphere()`: then f is a density in the measure of
        symbolic/manifolds.py and the score is its tangent gradient. `period` says that y is an angle: f has this
        period in y and mass one on it, and y may be any real number. Raises DeclarationError.
        """
        check_declared(f, level, noisy=noisy, clean=clean)
        check_support(support, noisy)
        if isinstance(noisy, sp.IndexedBase):
            return cls(from_coupled(f, noisy, clean, support, level, log))
        names, (f, noisy, clean, support, level) = as_real(f, noisy, clean, support, level)
        if period is not None:
            return cls(from_circular_density(f, noisy, clean, support, level, log, period), names)
        return cls(constructors.from_density(f, noisy, clean, support, level, log), names)

    @classmethod
    def from_sde(cls, drift, diffusion, state, time, clean=None, initial=None) -> "Kernel":
        """The transition kernel of the linear SDE d state = drift dt + diffusion dw; the level is `time`.

        Scalar: expressions and a symbol. Vector: `state` a Matrix of symbols, `drift` and `diffusion` Matrices;
        `clean={x1: X}` names the components that data give, `initial={v: st.Normal("v0", 0, s)}` the law from which
        the others start. The noisy value of a vector SDE has its components on the last axis. Raises
        DeclarationError for a drift that is not linear in the state, DerivationError without a closed form.
        """
        check_sde(drift, diffusion, state, time)
        return cls(constructors.from_sde(drift, diffusion, state, time, clean, initial))

    @classmethod
    def product(cls, blocks: dict) -> "Kernel":
        """Independent blocks, {"speed": k1, "angle": k2}; clean and noisy values are dicts. Raises DeclarationError."""
        check_scalar(blocks, "a product")
        source = ("product", {name: kernel._declaration.source for name, kernel in blocks.items()})
        names = {real: s for kernel in blocks.values() for real, s in kernel._names.items()}
        return cls(product({name: kernel._declaration for name, kernel in blocks.items()}, source), names)

    @classmethod
    def mixture(cls, parts: dict) -> "Kernel":
        """sum_k w_k p_k(y | x) of {k1: w, k2: 1 - w}; weights are SymPy expressions that add to one.

        A part may be a law of sympy.stats that does not know x, a background of outliers:
        {kernel: 0.95, st.Normal("e", 0, 10): 0.05}. Arrays mix as whole events. Raises DeclarationError.
        """
        first = check_parts(parts)._declaration
        check_weights(parts.values())
        weights = [*map(sp.sympify, parts.values())]
        names, weights = ({}, weights) if isinstance(first, ArrayDeclaration) else as_real(*weights)
        kernels = [k if isinstance(k, Kernel) else cls._background(k, first.clean) for k in parts]
        pairs = tuple((kernel._declaration, w) for kernel, w in zip(kernels, weights, strict=True))
        for kernel in kernels:
            names |= kernel._names
        return cls(mixture_of(pairs), names)

    @classmethod
    def _background(cls, law, clean) -> "Kernel":
        names, (law,) = as_real(law)
        return cls(constructors.background(law, clean), names)

    def change(self, transform, clean: bool = False) -> "Kernel":
        """The same noise, each entry in the coordinate u = transform(y); with clean=True the clean value moves too."""
        check_coordinate(self._declaration, transform)
        return Kernel(change_of(self._declaration, transform, clean), self._names)

    def subs(self, values: dict) -> "Kernel":
        """The kernel with parameters replaced by numbers or expressions; derived anew.

        A level that is replaced stays the level when one symbol takes its place. An expression may hold the clean
        symbol: sigma -> a*x makes the noise relative. The size of a coupled kernel may become a number: n -> 8.
        Raises ParameterError for what is no parameter, or a value that the parameter's assumptions exclude.
        """
        put = admissible_values(self, values)
        return rebuild(Kernel, replaced(replaced(self._declaration.source, self._names), put))

    def _public(self, expr):
        if isinstance(expr, dict):
            return {name: self._public(e) for name, e in expr.items()}
        if isinstance(expr, sp.MatrixBase):
            return expr.applyfunc(self._public)
        return plain(expr).xreplace(self._names) if isinstance(expr, sp.Expr) else expr.xreplace(self._names)

    @property
    def blocks(self) -> "dict[str, Kernel]":
        """The kernels of a product by name; empty for other kernels."""
        return {n: Kernel(d, self._names) for n, d in getattr(self._declaration, "blocks", ())}

    @property
    def moments(self) -> tuple[sp.MatrixBase, sp.MatrixBase] | None:
        """Mean and covariance of a vector SDE's transition kernel; None for other kernels."""
        law = getattr(self._declaration, "transition", None)
        if law is None or not self.event_ndim:
            return None
        return self._read(law.mean), self._read(law.covariance)

    @property
    def process(self) -> Process:
        """dy = f dlevel + g dw, the diffusion whose law at each level is this kernel's; raises DerivationError."""
        return process(self._declaration).mapped(self._read)

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
    def params(self) -> tuple[sp.Symbol | sp.IndexedBase, ...]:
        return tuple(self._names.get(s, s) for s in self._declaration.params)

    @property
    def support(self) -> sp.Set | dict[str, sp.Set]:
        return self._public(self._declaration.support)

    @property
    def normalised(self) -> bool | None:
        return self._declaration.normalised

    @property
    def period(self) -> sp.Expr | None:
        """The circumference when the noisy value is an angle, else None."""
        return getattr(self._declaration, "period", None)

    @property
    def event_ndim(self) -> int:
        return self._declaration.event_ndim

    @cached_property
    def log_density(self) -> sp.Expr:
        """log p(y | x), SymPy, on the support."""
        return self._read(self._declaration.log_density)

    @cached_property
    def score(self) -> sp.Expr | sp.MatrixBase | dict:
        """d/dy log p(y | x), SymPy."""
        return self._read(derive.score(self._declaration))

    def _read(self, expr):
        if isinstance(expr, dict):
            return {name: self._read(e) for name, e in expr.items()}
        if isinstance(expr, sp.MatrixBase):
            return expr.applyfunc(self._read)
        if isinstance(self._declaration, ArrayDeclaration):
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

    @property
    def mean_score(self) -> sp.Basic | dict | None:
        """E[score | x], SymPy: over the pieces on which p is smooth, p at the upper end less p at the lower one.

        Zero where p vanishes at its ends and does not jump; -1/x for speckle of one look. The target less this mean
        is a control variate. Where it is finite is the condition of the row "mean" in check(); None when it is so
        nowhere, or is not known. Numbers: `program.mean_score`.
        """
        found = self._regularity.mean_score
        return found if found is None else self._read(found)

    def fisher_information(self, of: str = "noisy") -> sp.Expr | None:
        """E[score^2 | x], or with of="level" E[level_score^2 | x]; SymPy, oo where it is infinite.

        None when no closed form is known, and check() says why. Numbers come from the compiled kernel: `fisher` and
        `level_fisher` (by quadrature where need be), and for several values `fisher_estimate`, from draws.
        Raises DerivationError for a level score that does not exist, ParameterError for another `of`.
        """
        if of not in ("noisy", "level"):
            raise ParameterError(given=f"of={of!r}", expected='"noisy" or "level"', fix='pass of="level"')
        if of == "level":
            derive.require_level_score(self._declaration)
        found = fisher_information(self._declaration)
        expr, method = (found.expr, found.method) if of == "noisy" else (found.level_expr, found.level_method)
        if expr is None:
            self._note(f"Fisher information{' in the level' * (of == 'level')}: {method}")
            return None
        return self._read(found.exact if of == "noisy" else found.exact_level)

    def denoiser(self) -> sp.Expr | sp.MatrixBase | dict | None:
        """E[T(x) | y] = (l - c(y))/b(y), an expression in l = `marginal_score`; T is `identified`.

        The generalised Tweedie formula, whatever the prior: for kernels whose score is b(y) T(x) + c(y). None for the
        others, and check() says what they identify. Coupled Gaussians give y + S l in the event's indices, with the
        array Sigma for a covariance S that cannot be read off; a product gives a dict. Efron, JASA 106 (2011).
        """
        for name, found in self._tweedie.items():
            self._note(f"Denoiser{' of ' * bool(name)}{name}: {found}")
        means = self._of_blocks(lambda found: found.mean if found.denoises else None)
        return None if isinstance(means, dict) and set(means.values()) == {None} else means

    @property
    def identified(self) -> sp.Expr | sp.MatrixBase | dict | None:
        """The statistic T(x) whose posterior mean the score gives: x, 1/x, log(x), A x. With y in it where the score
        identifies only a combination: sin(x - y) for a von Mises kernel, which has no denoiser."""
        return self._of_blocks(lambda found: found.statistic)

    @property
    def estimate(self) -> sp.Expr | sp.MatrixBase | dict | None:
        """The clean value whose statistic is denoiser(): E[x | y] when `identified` is x, else not. For speckle it is
        the harmonic mean 1/E[1/x | y] (Kim and Ye, Noise2Score, 2021). None where T is not one to one."""
        return self._of_blocks(lambda found: found.estimate if found.denoises else None)

    @property
    def marginal_score(self) -> sp.Basic | dict:
        """What stands for l = d/dy log q(y) in `denoiser` and `estimate`: a symbol, a column, an array or a dict."""
        return self._of_blocks(lambda found: found.score)

    @property
    def _tweedie(self) -> dict:
        """What each block identifies; a kernel that is no product is the block ''."""
        found = tweedie(self._declaration)
        return found if isinstance(found, dict) else {"": found}

    def _of_blocks(self, rule):
        values = {name: rule(found) for name, found in self._tweedie.items()}
        read = {name: None if value is None else self._public(value) for name, value in values.items()}
        return read if self.blocks else read[""]

    def _note(self, text: str) -> None:
        if text not in self._regularity.notes:
            self._regularity = replace(self._regularity, notes=(*self._regularity.notes, text))

    def proof(self, format: str = "latex") -> str:
        """J_ESM = J_DSM + C for this kernel, line by line with its conditions, as a "latex" document or "markdown".

        Every equation was verified before it was printed; where a condition fails, or is not known, the text says so
        and stops. Vincent, Neural Computation 23 (2011). Raises ParameterError, and DerivationError for a wrong step.
        """
        return written_proof(self._declaration, self.check()).text(format)

    def compile(self) -> Program:
        """The generated JAX program, its score compared with autodiff of its own log density. Cached."""
        if self.digest not in _programs:
            program = build_program(self._declaration, self.digest, self.check)
            if program.needs_chains:
                from symdsm.inference.coupled_draws import chains_on

                program.use_chains(chains_on(self.support, self.event_ndim))
            _programs[self.digest] = program
        return _programs[self.digest]

    def write(self, path: str | Path) -> Path:
        """Write the generated module (and its helper, when it needs one); it runs without SymPy and symdsm.

        Raises FileError when a file is in the way that symdsm did not write.
        """
        return write_module(self._declaration, self.digest, Path(path), self.check())

    def distribution(self, x, **params):
        """p(. | x) as a NumPyro distribution. Raises DerivationError when the normaliser is not known."""
        from symdsm.inference.kernel_distribution import kernel_distribution

        return kernel_distribution(self, x, **params)

    def plot(self, x=1.0, **params) -> "Figure":
        """Density with a histogram of draws, and score, for a clean value x or a list of some.

        A product takes a dict and has one row per block. Raises ParameterError for a missing parameter,
        DerivationError for a kernel of arrays.
        """
        from symdsm.picture import kernel_figure

        return kernel_figure(self, x, params)

    def to_json(self) -> str:
        """The declaration as JSON; `Kernel.from_json` reads it without evaluating Python."""
        return dumps(replaced(self._declaration.source, self._names))

    @classmethod
    def from_json(cls, text: str) -> "Kernel":
        """The kernel that `to_json` wrote. Raises DeclarationError for any other text."""
        return rebuild(cls, loads(text))

    @cached_property
    def digest(self) -> str:
        """A hash of the declaration, the same on every platform."""
        return digest(self._declaration.source)

    def __eq__(self, other) -> bool:
        """The same law: equal parameters, level and density, however they are written."""
        return isinstance(other, Kernel) and same(self._declaration, other._declaration)

    def __hash__(self) -> int:
        return hash(outline(self._declaration))

    def __reduce__(self):
        return Kernel.from_json, (self.to_json(),)

    def __repr__(self) -> str:
        return one_line(self)

    def _repr_latex_(self) -> str:
        return latex(self)


def load(path, net=None):
    """A fit that `Fit.save` wrote, with its kernel rebuilt from JSON; nothing in the file is executed.

    `net` is needed for networks that symdsm does not ship: one built as for training, whose weights are then read.
    """
    from symdsm.learning.checkpoint import load_fit

    return load_fit(path, Kernel.from_json, net)
