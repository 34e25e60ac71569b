r"""The proof's part about vector SDEs: y = m(x, t) + L z with L L' = S(t), so that the target is -L^{-T} z.

The printed mean and covariance are verified against the equations that define them, dm/dt = drift(m) and
dS/dt = A S + S A' + B B' (Sarkka and Solin, Applied Stochastic Differential Equations, 2019, section 6.2), with the
drift and diffusion as declared.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.information import fisher_information
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.proof_columns import ColumnSubject
from symdsm.symbolic.proof_document import Section, Words
from symdsm.symbolic.proof_steps import Step, definitions, display
from symdsm.symbolic.tweedie import Tweedie
from symdsm.symbolic.tweedie_arrays import vector_parts

__all__ = ["VectorSubject"]


@dataclass
class VectorSubject(ColumnSubject):
    """A vector SDE's Gaussian transition kernel."""

    @property
    def clean_symbols(self) -> tuple[sp.Symbol, ...]:
        return tuple(self.declaration.transition.clean)

    @cached_property
    def places(self) -> list:
        return [self._random(np.random.default_rng(seed)) for seed in (1, 2)]

    def _random(self, rng):
        d = self.declaration
        given = {s: float(np.exp(0.3 * rng.normal())) for s in d.params}
        return rng.normal(size=len(d.noisy_symbols)), rng.normal(size=len(d.transition.clean)), given

    def _put(self, y, x, given) -> dict:
        d = self.declaration
        pairs = [*zip(d.noisy_symbols, y, strict=True), *zip(d.transition.clean, x, strict=True), *given.items()]
        return {s: sp.Float(float(v), 30) for s, v in pairs}

    def moments(self, x, given) -> tuple[np.ndarray, np.ndarray]:
        law, put = self.declaration.transition, self._put(np.zeros(len(self.declaration.noisy_symbols)), x, given)
        mean, covariance = (np.array([_number(e, put) for e in m]) for m in (law.mean, law.covariance))
        return mean, covariance.reshape(len(mean), len(mean))

    def log_p(self, y, x, given) -> float:
        mean, covariance = self.moments(x, given)
        r = y - mean
        return float(-r @ np.linalg.solve(covariance, r) / 2 - np.linalg.slogdet(2 * np.pi * covariance)[1] / 2)

    def kernel_section(self) -> Section:
        d = self.declaration
        names = ", ".join(map(self.tex, d.noisy_symbols))
        rows = []
        for k, e in enumerate(d.transition.mean, 1):
            rows.append((f"m_{{{k}}}", derive.readable(e)))
        n = len(d.noisy_symbols)
        for i in range(n):
            rows += [(f"S_{{{i + 1}{j + 1}}}", derive.readable(d.transition.covariance[i, j])) for j in range(i, n)]
        steps, named = [], []
        for left, expr in rows:
            lines, parts = self.writer.broken(expr)
            steps.append(Step("mean and covariance solve their equations", left, lines, self._moments_solve))
            named += [[Words(f"In ${left}$,"), definitions(*parts)]] if parts else []
        score = Step("the score", rf"\nabla {self.law}", (r"-S^{-1} (y - m).",), self.scores_differ)
        return Section(
            "The kernel",
            (
                Words(rf"The transition kernel of a linear stochastic differential equation: $y = ({names})$ is normal "
                       rf"with mean $m$ and covariance $S$, $S_{{ij}} = S_{{ji}}$, for ${self.tex(d.level)} > 0$."),
                display(*steps),
                *sum(named, []),
                Words("Its gradient, the regression target, is"),
                display(score),
            ),
        )  # fmt: skip

    def _moments_solve(self):
        """dm/dt = drift(m) and dS/dt = A S + S A' + B B', A the drift's Jacobian, B the declared diffusion."""
        law, t = self.declaration.transition, self.declaration.level
        for _, x, given in self.places[:1]:
            put = self._put(np.zeros(len(law.mean)), x, given)
            step = 1e-4

            def at(shift, x=x, given=given):
                return self.moments(x, given | {t: given[t] + shift})

            rate = [(a - b) / (2 * step) for a, b in zip(at(step), at(-step), strict=True)]
            mean, S = at(0.0)
            state = put | {s: sp.Float(float(v), 30) for s, v in zip(law.state, mean, strict=True)}
            A, BB = (_numbers(m, put) for m in (law.drift.jacobian(law.state), law.diffusion * law.diffusion.T))
            yield from zip(rate[0], np.ravel(_numbers(law.drift, state)), strict=True)
            yield from zip(np.ravel(rate[1]), np.ravel(A @ S + S @ A.T + BB), strict=True)

    def information_section(self) -> Section:
        found = fisher_information(self.declaration)
        left = rf"I({self.x}) = \mathbb{{E}}\bigl[\|\nabla {self.law}\|^2 \mid {self.x}\bigr]"

        def sides():
            for y, x, given in self.places:
                yield np.trace(np.linalg.inv(self.moments(x, given)[1])), _number(found.expr, self._put(y, x, given))

        step = Step("the Fisher information", left, (r"\operatorname{tr} S^{-1}.",), sides)
        return Section("The Fisher information", (display(step),))

    def level_formula(self) -> list:
        """By matrices; the derived expression, differences of the log density and the printed formula agree."""
        expr, t = derive.level_score(self.declaration), self.tex(self.declaration.level)

        def sides():
            yield from self.level_sides(expr)
            for y, x, given in self.places:
                (mean, S), (m, B) = self.moments(x, given), self._rates(x, given)
                u = np.linalg.solve(S, y - mean)
                yield self.value(expr, y, x, given), m @ u + u @ B @ u / 2 - np.trace(np.linalg.solve(S, B)) / 2

        lines = (
            r"\dot m^\top u + \tfrac12 u^\top \dot S u - \tfrac12 \operatorname{tr}(S^{-1} \dot S),",
            rf"u = S^{{-1}}(y - m), \quad \dot m = \partial_{{{t}}} m, \quad \dot S = \partial_{{{t}}} S.",
        )
        return [display(Step("the level score", self.level_left, lines, sides))]

    def _rates(self, x, given) -> tuple[np.ndarray, np.ndarray]:
        """The slopes of mean and covariance in the level."""
        law, t = self.declaration.transition, self.declaration.level
        nothing = np.zeros(len(law.mean))
        moved = (sp.diff(m, t) for m in (law.mean, law.covariance))
        mean, covariance = (np.array([self.value(e, nothing, x, given) for e in m]) for m in moved)
        return mean, covariance.reshape(len(mean), len(mean))

    def denoiser_formula(self, found: Tweedie) -> list:
        """(F' S^-1 F)^-1 F' (S^-1 (y - c) + l), in matrices; the derived expression and the printed formula agree."""
        F, c = vector_parts(self.declaration)

        def sides():
            yield from self.denoiser_sides(found)
            for _, _, l, (y, clean, given) in self._two():  # noqa: E741
                slopes, offset = (np.array([self.value(e, y, clean[0], given) for e in m]) for m in (F, c))
                slopes, S = slopes.reshape(F.shape), self.moments(clean[0], given)[1]
                weighed = slopes.T @ np.linalg.inv(S)
                printed = np.linalg.solve(weighed @ slopes, weighed @ (y - offset) + slopes.T @ l)
                yield from zip(self.mean_at(found, y, l, given), printed, strict=True)

        right = r"(F^\top S^{-1} F)^{-1} F^\top \bigl(S^{-1} (y - c) + l\bigr),"
        names = rf"m = F {self.x} + c, \quad F = \partial m / \partial {self.x}."
        left = rf"\mathbb{{E}}[{self.x} \mid y]"
        return [display(Step("the denoiser", left, (right, names), sides))]

    def objective_section(self) -> Section:
        def sides():
            for y, x, given in self.places:
                mean, covariance = self.moments(x, given)
                factor = np.linalg.cholesky(covariance)
                noisy = mean + factor @ y
                yield from zip(self.score_at(noisy, x, given), -np.linalg.solve(factor.T, y), strict=True)

        ending = (
            rf"\mathbb{{E}}_{{{self.x} \sim p}}\, \mathbb{{E}}_{{z \sim \mathcal{{N}}(0, I)}}\, \tfrac12 "
            rf"\bigl\|{self.psi}(m + L z) + L^{{-\top}} z\bigr\|^2."
        )
        return Section(
            "The objective in the noise",
            (
                Words(r"With the Cholesky factor $L L^\top = S$ the noisy value is $y = m + L z$, "
                       r"$z \sim \mathcal{N}(0, I)$, and the target is $-L^{-\top} z$. So the objective is"),
                display(Step("the objective in the noise", rf"J_{{\mathrm{{DSM}}}}({self.psi})", (ending,), sides)),
            ),
        )  # fmt: skip


def _number(expr, put) -> float:
    return float(plain(expr).xreplace(put).evalf(20))


def _numbers(matrix, put) -> np.ndarray:
    return np.array([[_number(e, put) for e in row] for row in matrix.tolist()])
