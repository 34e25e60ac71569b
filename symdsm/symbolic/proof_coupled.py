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
from symdsm.symbolic.proof_steps import Step, definitions, display

__all__ = ["CoupledSubject"]


@dataclass
class CoupledSubject(ArraySubject):
    """A coupled kernel in index notation."""

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
        names, out = event_indices(self.declaration.density), np.zeros(y.shape)
        for index in np.ndindex(y.shape):
            out[index] = self._number(self.score, y, x, given, zip(names, index, strict=True))
        return out

    def kernel_section(self) -> Section:
        d = self.declaration
        index = ", ".join(map(self.tex, event_indices(d.density)))
        sizes = ", ".join(f"${self.tex(s)}$" for s in d.density.sizes)
        lines, parts = self.writer.broken(d.log_density)
        score_lines, score_parts = self.writer.broken(self.score)
        density = Step("the log density as it is printed", self.law, lines, self.squares)
        score = Step("the score", rf"\partial_{{{self.y}_{{{index}}}}} {self.law}", score_lines, self.scores_differ)
        factor = "" if d.normalised is True else " Its constant factor is not claimed."
        blocks = [
            Words(f"In index notation, for arrays of any size {sizes}; indices start at 0.{factor}"),
            display(density),
            *([Words("with"), definitions(*parts)] if parts else []),
            Words("Its derivative in each entry, the regression target, is"),
            display(score),
            *([Words("with"), definitions(*score_parts)] if score_parts else []),
        ]
        return Section("The kernel", tuple(blocks))

    def information_section(self) -> None:
        return None

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
