r"""The proof's part about coupled kernels, in index notation for arrays of any size.

The printed density and score are summed as they are written, on arrays of two entries or so, and the score is held
against central differences of the log density.
"""

from dataclasses import dataclass
from functools import cached_property

import mpmath
import numpy as np
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.indexed import event_indices
from symdsm.symbolic.indexed_numbers import example, number
from symdsm.symbolic.proof_arrays import ArraySubject
from symdsm.symbolic.proof_document import Section, Words
from symdsm.symbolic.proof_steps import Step, display
from symdsm.symbolic.tweedie import Tweedie

__all__ = ["CoupledSubject"]


@dataclass
class CoupledSubject(ArraySubject):
    """A coupled kernel in index notation."""

    target: str = "Its derivative in each entry"

    @property
    def y(self) -> str:
        return self.tex(self.declaration.noisy.label)

    @property
    def x(self) -> str:
        clean = self.declaration.clean
        return self.tex(clean.label if isinstance(clean, sp.IndexedBase) else clean)

    @cached_property
    def places(self) -> list:
        """(y, x, the other numbers) at random admissible values, the first size two."""
        return [self._random(seed) for seed in (1, 2)]

    def _random(self, seed: int):
        d = self.declaration.density
        scalars, arrays = example(d, seed, 2)
        scalars = {d.restore(s): v for s, v in scalars.items()}
        y = np.asarray(arrays.pop(str(d.noisy.label)), dtype=float)
        if isinstance(d.clean, sp.IndexedBase):
            return y, np.asarray(arrays.pop(str(d.clean.label)), dtype=float), (scalars, arrays)
        return y, np.asarray(float(scalars[self.declaration.clean])), (scalars, arrays)

    def _number(self, expr, y, x, given, index=()) -> float:
        d, (scalars, arrays) = self.declaration.density, given
        arrays = arrays | {str(d.noisy.label): y}
        if isinstance(d.clean, sp.IndexedBase):
            arrays = arrays | {str(d.clean.label): x}
        else:
            scalars = scalars | {self.declaration.clean: mpmath.mpf(float(x))}
        return float(number(expr, scalars | dict(index), arrays))

    def log_p(self, y, x, given) -> float:
        return self._number(self.declaration.log_density, y, x, given)

    @cached_property
    def score(self) -> sp.Expr:
        """The score as it is printed, in the event's indices."""
        return derive.score(self.declaration)

    def score_at(self, y, x, given) -> np.ndarray:
        return self._entries(self.score, y, x, given)

    def value(self, expr, y, x, given) -> float:
        return self._number(expr, y, x, given)

    def at_level(self, given, h: float) -> tuple:
        """(the numbers with the level times e^h, that level)."""
        scalars, arrays = given
        level = self.declaration.density.restore(self.declaration.level)
        moved = scalars[level] * mpmath.exp(h)
        return (scalars | {level: moved}, arrays), float(moved)

    def statistic(self, found: Tweedie) -> sp.Expr:
        return found.statistic

    def marginal(self, found: Tweedie) -> str:
        return self.tex(found.score.label)

    def statistic_at(self, found: Tweedie, y, x, given) -> np.ndarray:
        return self._entries(found.statistic, y, x, given)

    def mean_at(self, found: Tweedie, y, l, given) -> np.ndarray:  # noqa: E741
        """At the marginal score l; an array beyond the kernel's own is the covariance, from the slopes of the score."""
        scalars, arrays = given
        arrays = arrays | {str(found.score.label): l}
        x = self.places[0][1]
        for name in {str(e.base.label) for e in found.mean.atoms(sp.Indexed)} - self._known(found):
            arrays = arrays | {name: self._covariance(y, x, given)}
        return self._entries(found.mean, y, x, (scalars, arrays))

    def _covariance(self, y, x, given) -> np.ndarray:
        at = self.score_at(np.zeros(y.shape), x, given)
        columns = [np.ravel(self.score_at(v, x, given) - at) for v, _ in self.curves(np.zeros(y.shape))]
        return -np.linalg.inv(np.array(columns)).reshape(y.shape * 2)

    def _entries(self, expr, y, x, given) -> np.ndarray:
        names, out = self.index, np.zeros(y.shape)
        for index in np.ndindex(y.shape):
            out[index] = self._number(expr, y, x, given, zip(names, index, strict=True))
        return out

    @property
    def index(self) -> tuple[sp.Symbol, ...]:
        return event_indices(self.declaration.density)

    def denoiser_formula(self, found: Tweedie) -> list:
        left = rf"\mathbb{{E}}\bigl[{self.tex(found.statistic)} \mid {self.y}\bigr]"
        blocks = self.formula("the denoiser", left, found.mean, lambda: self.denoiser_sides(found))
        named = sorted({str(e.base.label) for e in found.mean.atoms(sp.Indexed)} - self._known(found))
        words = [rf"${self.tex(sp.Symbol(name))}$ is the covariance of ${self.y}$ given ${self.x}$." for name in named]
        return [*blocks, *map(Words, words)]

    def _known(self, found: Tweedie) -> set[str]:
        """The names of the arrays of the density, and of the marginal score."""
        own = (*self.declaration.density.shapes, self.declaration.noisy, found.score)
        return {str(b.label) for b in own} | {self.x}

    @property
    def score_left(self) -> str:
        return rf"\partial_{{{self.y}_{{{', '.join(map(self.tex, self.index))}}}}} {self.law}"

    def kernel_section(self) -> Section:
        d = self.declaration
        sizes = ", ".join(f"${self.tex(s)}$" for s in d.density.sizes)
        factor = "" if d.normalised is True else " Its constant factor is not claimed."
        blocks = [
            Words(f"In index notation, for arrays of any size {sizes}; indices start at 0.{factor}"),
            *self.formula("the log density as it is printed", self.law, d.log_density, self.squares),
            Words(f"{self.target}, the regression target, is"),
            *self.formula("the score", self.score_left, self.score, self.scores_differ),
        ]
        return Section("The kernel", tuple(blocks))

    def objective_section(self) -> Section:
        step = Step(
            "the objective",
            rf"J_{{\mathrm{{DSM}}}}({self.psi})",
            (
                rf"\mathbb{{E}}_{{{self.x}}}\, \mathbb{{E}}_{{{self.y} \mid {self.x}}}\, \tfrac12 "
                rf"\sum \bigl({self.psi}({self.y}) - \partial_{{{self.y}}} {self.law}\bigr)^2,",
            ),
            self.scores_differ,
        )
        words = "the sum being over the entries, with the derivative that stands in the first section."
        return Section("The objective", (display(step), Words(words)))
