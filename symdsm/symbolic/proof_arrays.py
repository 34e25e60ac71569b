"""The proof's part about kernels whose noisy value is an array: the numbers of its general lines.

On small arrays of random numbers: the printed score against central differences of the log density, the swap of
gradient and integral on clean values along a line segment, the mixed terms on laws of two clean values.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.findings import Regularity
from symdsm.symbolic.information import fisher_information
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.proof_chain import equivalence, statement, title_of, told
from symdsm.symbolic.proof_document import Document, Raw, Section, Words
from symdsm.symbolic.proof_steps import Step, definitions, display
from symdsm.symbolic.proof_tex import Writer
from symdsm.symbolic.tweedie import Tweedie, tweedie

__all__ = ["ArraySubject", "slope"]

_STEP = 1e-4
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
            slope = self.gradient(lambda v, x=x, g=given, t=top: np.exp(self.log_p(v, x, g) - t), y)
            yield from zip(np.ravel(self.score_at(y, x, given)), np.ravel(slope), strict=True)

    def swap(self) -> Iterable[tuple]:
        """Clean values x + tau (other - x) with the smooth law 6 tau (1 - tau) on (0, 1)."""
        tau = (1 + _NODES) / 2
        law = 6 * tau * (1 - tau) * _WEIGHTS / 2
        for y, x, given in self.places[:1]:
            along = [self.near(x, t) for t in tau]
            top = self.log_p(y, x, given)

            def p(v, at, t=top, g=given):
                return np.exp(self.log_p(v, at, g) - t)

            outer = self.gradient(lambda v, a=along, p=p: sum(w * p(v, at) for w, at in zip(law, a, strict=True)), y)
            inner = sum(w * p(y, at) * self.score_at(y, at, given) for w, at in zip(law, along, strict=True))
            yield from zip(np.ravel(outer), np.ravel(inner), strict=True)

    def broken(self) -> None:
        return None

    def curves(self, y: np.ndarray) -> Iterable[tuple]:
        """Orthonormal directions v at y, each with a curve through y along it."""
        for index in np.ndindex(y.shape):
            v = np.zeros(y.shape)
            v[index] = 1.0
            yield v, lambda t, v=v: y + t * v

    def gradient(self, function, y: np.ndarray) -> np.ndarray:
        """Central differences along the curves."""
        return sum(v * slope(lambda t, c=curve: function(c(t))) for v, curve in self.curves(y))

    def near(self, x, t: float) -> np.ndarray:
        """The clean value moved along a line, or along a curve of positive values."""
        step = t * 0.3 * np.cos(1 + np.arange(np.size(x))).reshape(np.shape(x))
        return x * np.exp(step) if np.all(np.asarray(x) > 0) else x + step

    def _two(self):
        """(weights, scores, d/dy log q by differences, (y, clean values, given)) of a law of two clean values."""
        for y, x, given in self.places[:2]:
            clean = [x, self.near(x, 0.7)]
            top = self.log_p(y, x, given)

            def log_q(v, c=clean, g=given, t=top):
                return np.log(0.4 * np.exp(self.log_p(v, c[0], g) - t) + 0.6 * np.exp(self.log_p(v, c[1], g) - t))

            masses = np.array([0.4, 0.6]) * np.exp([self.log_p(y, c, given) - top for c in clean])
            scores = [self.score_at(y, c, given) for c in clean]
            yield masses / masses.sum(), scores, self.gradient(log_q, y), (y, clean, given)

    def quotient(self) -> Iterable[tuple]:
        for weights, scores, slopes, _ in self._two():
            yield from zip(np.ravel(slopes), np.ravel(weights[0] * scores[0] + weights[1] * scores[1]), strict=True)

    def constant(self) -> Iterable[tuple]:
        for weights, scores, slope, _ in self._two():
            square = sum(w * np.sum(s**2) for w, s in zip(weights, scores, strict=True))
            yield (
                square - np.sum(slope**2),
                sum(w * np.sum((s - slope) ** 2) for w, s in zip(weights, scores, strict=True)),
            )

    def scores_differ(self) -> Iterable[tuple]:
        """The printed score and central differences of the log density."""
        for y, x, given in self.places:
            slope = self.gradient(lambda v, x=x, g=given: self.log_p(v, x, g), y)
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
        shown = self.level_formula() if self.declaration.normalised is True else []
        return Section("The level score", (Words(words, *told(findings, self.tex)), *shown))

    def level_formula(self) -> list:
        """The level score as it is printed."""
        expr = plain(derive.level_score(self.declaration))
        return self.formula("the level score", self.level_left, expr, lambda: self.level_sides(expr))

    @property
    def level_left(self) -> str:
        return rf"\partial_{{{self.tex(self.declaration.level)}}} {self.law}"

    def level_sides(self, expr: sp.Expr) -> Iterable[tuple]:
        """Differences of the log density in the level, and the expression."""
        for y, x, given in self.places:
            level = self.at_level(given, 0.0)[1]
            rate = slope(lambda h, y=y, x=x, g=given: self.log_p(y, x, self.at_level(g, h)[0]))
            yield rate / level, self.value(expr, y, x, given)

    def formula(self, name: str, left: str, expr: sp.Basic, sides) -> list:
        """The verified formula, and the names given to its wide parts."""
        lines, parts = self.writer.broken(expr)
        blocks = [display(Step(name, left, lines, sides))]
        return [*blocks, Words("with"), definitions(*parts)] if parts else blocks

    def information_section(self) -> Section | None:
        """E |score|^2 where it is known in symbols."""
        found = fisher_information(self.declaration)
        sides = None if found.expr in (None, sp.oo) else self.information_sides(found.expr)
        if sides is None:
            return None
        left = rf"I({self.x}) = \mathbb{{E}}\bigl[\|\nabla {self.law}\|^2 \mid {self.x}\bigr]"
        blocks = self.formula("the Fisher information", left, plain(found.expr), lambda: sides)
        return Section("The Fisher information", tuple(blocks))

    def information_sides(self, expr: sp.Expr) -> list[tuple] | None:
        """A Gaussian's score has the precision as its slope: its trace and the expression; None for other kernels."""
        out = []
        for y, x, given in self.places:
            slopes, moved = (self._divergence(v, x, given) for v in (y, self.near(y, 0.5)))
            if not np.isclose(slopes, moved, rtol=1e-8):
                return None
            out.append((-slopes, self.value(expr, y, x, given)))
        return out

    def _divergence(self, y, x, given) -> float:
        """The sum of the own slopes of the score."""
        return sum(
            slope(lambda t, v=v, c=curve: np.sum(v * self.score_at(c(t), x, given))) for v, curve in self.curves(y)
        )

    def denoiser_section(self) -> Section:
        """The posterior mean that the marginal score gives (generalised Tweedie)."""
        found = tweedie(self.declaration)
        if not found.denoises:
            return Section("The denoiser", (Words("The marginal score gives no denoiser: ", Raw(found.reason), "."),))
        words = (
            rf"The score is an affine function of ${self.tex(self.statistic(found))}$, so the mean of the lines above, "
            rf"${self.marginal(found)} = \nabla \log {self.q}({self.y})$, gives its posterior mean whatever the prior "
            "(generalised Tweedie)"
        )
        condition = [Raw(f", for {found.condition}")] if found.condition else []
        return Section("The denoiser", (Words(words, *condition, ":"), *self.denoiser_formula(found)))

    def denoiser_sides(self, found: Tweedie) -> Iterable[tuple]:
        """Posterior means of a law of two clean values, and the formula at its marginal score."""
        for weights, _, slopes, (y, clean, given) in self._two():
            exact = sum(w * self.statistic_at(found, y, c, given) for w, c in zip(weights, clean, strict=True))
            yield from zip(np.ravel(exact), np.ravel(self.mean_at(found, y, slopes, given)), strict=True)

    def mean_section(self, regularity: Regularity) -> Section | None:
        del regularity
        return None

    def document(self, regularity: Regularity) -> Document:
        chain, proven = equivalence(self, regularity)
        sections = [self.kernel_section(), statement(self), chain]
        if proven:
            more = (
                self.information_section(), self.mean_section(regularity), self.level_section(regularity),
                self.denoiser_section(), self.objective_section(),
            )  # fmt: skip
            sections += [s for s in more if s is not None]
        return Document(title_of(self), tuple(sections), proven)


def slope(function) -> float:
    """The derivative at 0 by central differences of fourth order."""
    values = [function(k * _STEP) for k in (-2, -1, 1, 2)]
    return (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * _STEP)
