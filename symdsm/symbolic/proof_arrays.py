"""The proof's part about kernels whose noisy value is an array: the numbers of its general lines.

On small arrays of random numbers: the printed score against central differences of the log density, the swap of
gradient and integral on clean values along a line segment, the mixed terms on laws of two clean values.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symdsm.symbolic.findings import Regularity
from symdsm.symbolic.proof_chain import equivalence, statement, title_of, told
from symdsm.symbolic.proof_document import Document, Section, Words
from symdsm.symbolic.proof_tex import Writer

__all__ = ["ArraySubject"]

_STEP = 1e-5
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(6)


@dataclass
class ArraySubject:
    """Numbers of the general lines from `log_p(y, x, given)` and `score_at(y, x, given)` on arrays."""

    declaration: Any
    writer: Writer
    psi: str = r"\psi"
    q: str = "q"
    remark: str = "The noisy value is an array; gradients, norms and inner products are over all its entries."

    def tex(self, expr: sp.Basic) -> str:
        return self.writer.tex(expr)

    @property
    def law(self) -> str:
        return rf"\log p({self.y} \mid {self.x})"

    def squares(self) -> Iterable[tuple]:
        for y, x, given in self.places:
            a, b = np.tanh(y), self.score_at(y, x, given)
            yield np.sum((a - b) ** 2) / 2, np.sum(a**2) / 2 - np.sum(a * b) + np.sum(b**2) / 2

    expectation = squares

    def product(self) -> Iterable[tuple]:
        """grad p / p0 = p score / p0, p0 the density at the place."""
        for y, x, given in self.places:
            top = self.log_p(y, x, given)
            slope = _gradient(lambda v, x=x, g=given, t=top: np.exp(self.log_p(v, x, g) - t), y)
            yield from zip(np.ravel(self.score_at(y, x, given)), np.ravel(slope), strict=True)

    def swap(self) -> Iterable[tuple]:
        """Clean values x + tau (other - x) with the smooth law 6 tau (1 - tau) on (0, 1)."""
        tau = (1 + _NODES) / 2
        law = 6 * tau * (1 - tau) * _WEIGHTS / 2
        for y, x, given in self.places[:1]:
            along = [x + t * 0.3 * np.cos(1 + np.arange(np.size(x))).reshape(np.shape(x)) for t in tau]
            top = self.log_p(y, x, given)

            def p(v, at, t=top, g=given):
                return np.exp(self.log_p(v, at, g) - t)

            outer = _gradient(lambda v, a=along, p=p: sum(w * p(v, at) for w, at in zip(law, a, strict=True)), y)
            inner = sum(w * p(y, at) * self.score_at(y, at, given) for w, at in zip(law, along, strict=True))
            yield from zip(np.ravel(outer), np.ravel(inner), strict=True)

    def broken(self) -> None:
        return None

    def _two(self):
        """(y, posterior weights, the two scores, d/dy log q by differences) of a law of two clean values."""
        for y, x, given in self.places[:2]:
            clean = [x, x + 0.2]
            top = self.log_p(y, x, given)

            def log_q(v, c=clean, g=given, t=top):
                return np.log(0.4 * np.exp(self.log_p(v, c[0], g) - t) + 0.6 * np.exp(self.log_p(v, c[1], g) - t))

            masses = np.array([0.4, 0.6]) * np.exp([self.log_p(y, c, given) - top for c in clean])
            scores = [self.score_at(y, c, given) for c in clean]
            yield masses / masses.sum(), scores, _gradient(log_q, y)

    def quotient(self) -> Iterable[tuple]:
        for weights, scores, slope in self._two():
            yield from zip(np.ravel(slope), np.ravel(weights[0] * scores[0] + weights[1] * scores[1]), strict=True)

    def constant(self) -> Iterable[tuple]:
        for weights, scores, slope in self._two():
            square = sum(w * np.sum(s**2) for w, s in zip(weights, scores, strict=True))
            yield (
                square - np.sum(slope**2),
                sum(w * np.sum((s - slope) ** 2) for w, s in zip(weights, scores, strict=True)),
            )

    def scores_differ(self) -> Iterable[tuple]:
        """The printed score and central differences of the log density."""
        for y, x, given in self.places:
            slope = _gradient(lambda v, x=x, g=given: self.log_p(v, x, g), y)
            yield from zip(np.ravel(slope), np.ravel(self.score_at(y, x, given)), strict=True)

    def level_section(self, regularity: Regularity) -> Section | None:
        findings = [f for f in regularity.findings if f.row == "level"]
        if not findings:
            return None
        level = self.tex(self.declaration.level)
        if regularity.level_holds is None or regularity.level_holds is sp.false:
            words = rf"The derivative in ${level}$ is not claimed to be matched (dual score matching). "
            return Section("The level score", (Words(words, *told(findings, self.tex)),))
        words = (
            "The lines above hold for any derivative that may be taken under the integral; with "
            rf"$\partial_{{{level}}}$ they match $\partial_{{{level}}} \log {self.q}({self.y})$ (dual score matching). "
        )
        return Section("The level score", (Words(words, *told(findings, self.tex)),))

    def document(self, regularity: Regularity) -> Document:
        chain, proven = equivalence(self, regularity)
        sections = [self.kernel_section(), statement(self), chain]
        if proven:
            more = (self.information_section(), self.level_section(regularity), self.objective_section())
            sections += [s for s in more if s is not None]
        return Document(title_of(self), tuple(sections), proven)


def _gradient(function, y: np.ndarray) -> np.ndarray:
    """Central differences of fourth order."""
    out = np.zeros(y.shape)
    for index in np.ndindex(y.shape):
        move = np.zeros(y.shape)
        move[index] = 100 * _STEP
        values = [function(y + k * move) for k in (-2, -1, 1, 2)]
        out[index] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * 100 * _STEP)
    return out
