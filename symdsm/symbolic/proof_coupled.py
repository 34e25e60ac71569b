r"""The proof's part about coupled kernels, in index notation for arrays of any size.

The printed density and score are summed as they are written, on arrays of three entries or so, and the score is held
against central differences of the log density.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.indexed import event_indices
from symdsm.symbolic.proof_arrays import ArraySubject
from symdsm.symbolic.proof_document import Section, Words
from symdsm.symbolic.proof_steps import Step, definitions, display
from symdsm.symbolic.proof_values import valued

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
    def _sizes(self) -> dict[str, int]:
        return {s.name: 3 + k for k, s in enumerate(self.declaration.density.sizes)}

    @cached_property
    def places(self) -> list:
        """(y, x, parameters) of random numbers; matrices that must be positive definite are."""
        return [self._random(np.random.default_rng(seed)) for seed in (1, 2)]

    def _random(self, rng):
        d = self.declaration.density
        arrays = {}
        for base, axes in d.shapes.items():
            shape = tuple(int(sp.sympify(a).xreplace({s: sp.Integer(self._sizes[s.name]) for s in a.free_symbols}))
                          for a in map(sp.sympify, axes))  # fmt: skip
            value = rng.normal(size=shape)
            if len(shape) == 2 and shape[0] == shape[1] and base not in (d.noisy, d.clean):
                value = value @ value.T / shape[0] + np.eye(shape[0])
            arrays[str(base)] = np.abs(value) + 0.5 if base.assumptions0.get("positive") else value
        numbers = {s.name: abs(rng.normal()) + 0.8 for s in d.scalar_params}
        y = arrays.pop(str(d.noisy))
        x = arrays.pop(str(d.clean)) if isinstance(d.clean, sp.IndexedBase) else np.asarray(rng.normal())
        return y, x, arrays | numbers | self._sizes

    def _given(self, y, x, given, **more) -> dict:
        d = self.declaration.density
        name = str(d.clean) if isinstance(d.clean, sp.IndexedBase) else d.clean.name
        return given | {str(d.noisy): y, name: x} | more

    @cached_property
    def _log_density(self):
        return valued(self.declaration.log_density)

    def log_p(self, y, x, given) -> float:
        return self._log_density(self._given(y, x, given))

    @cached_property
    def score(self) -> sp.Expr:
        """The score as it is printed, in the event's indices."""
        return derive.score(self.declaration)

    @cached_property
    def _entry_of_score(self):
        return valued(self.score)

    def score_at(self, y, x, given) -> np.ndarray:
        names = [s.name for s in event_indices(self.declaration.density)]
        out = np.zeros(y.shape)
        for index in np.ndindex(y.shape):
            out[index] = self._entry_of_score(self._given(y, x, given, **dict(zip(names, index, strict=True))))
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
