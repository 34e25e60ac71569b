r"""The proof's part about joint laws: a few coordinates y = g(x, e) with randomness e of their own.

    log p(y | x),    nabla log p = (d log p/dy_1, .., d log p/dy_n),    y = g(x, e):  nabla log p = t(x, e)

The printed formulae are verified against differences of the log density, at places drawn through the map g.
"""

import random
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.joint import joint_points, joint_targets
from symdsm.symbolic.probe import numeric
from symdsm.symbolic.proof_columns import ColumnSubject
from symdsm.symbolic.proof_document import Section, Words
from symdsm.symbolic.proof_steps import Step, display

__all__ = ["JointSubject"]

_ATTEMPTS = 40


@dataclass
class JointSubject(ColumnSubject):
    """A kernel of a few coordinates, declared by its noise."""

    @property
    def clean_symbols(self) -> tuple[sp.Symbol, ...]:
        return self.declaration.clean_symbols

    @cached_property
    def places(self) -> list:
        """(y, x, parameters) with y = g(x, e) at noises e inside their ranges, where clean values nearby agree."""
        return [(y, x, given) for y, x, given, _ in self.drawn]

    @cached_property
    def drawn(self) -> list:
        """The places with their noises."""
        d, rng, found = self.declaration, random.Random(5), []
        for values in joint_points(d, 2, seed=3):
            x = np.array([float(values[s]) for s in self.clean_symbols])
            given = {s: float(values[s]) for s in d.params}
            for _ in range(_ATTEMPTS):
                e = [_interior(support, values, rng) for support in d.noise.supports]
                y = np.array([self._of_noise(g, e, x, given) for g in d.noise.maps])
                moved = [x, *(self.near(x, share) for share in (0.0, 0.5, 1.0))]
                if all(self._is_open(y, at, given) for at in moved):
                    found.append((y, x, given, e))
                    break
        return found

    def _is_open(self, y, x, given) -> bool:
        """Is a neighbourhood of y in the support?"""
        shifts = [np.zeros(y.shape), *(k * v for v in 0.01 * np.eye(len(y)) for k in (-1, 1))]
        return all(self._inside(y + shift, x, given) for shift in shifts)

    @cached_property
    def _inside(self):
        d = self.declaration
        own = {sp.Symbol(s.name, real=True): s for s in d.noisy_symbols}
        holds = numeric(d.inside.xreplace(own), self.symbols)
        return lambda y, x, given: bool(holds(*map(float, (*y, *x, *(given[s] for s in d.params)))))

    def _of_noise(self, expr, e, x, given) -> float:
        noise = self.declaration.noise
        return self.value(expr, np.full(len(noise.maps), np.nan), x, given, dict(zip(noise.variables, e, strict=True)))

    def log_p(self, y, x, given) -> float:
        return self.value(self.declaration.log_density, y, x, given)

    def kernel_section(self) -> Section:
        d = self.declaration
        names = ", ".join(map(self.tex, d.noisy_symbols))
        where = "" if d.inside is sp.true else rf", where ${self.tex(d.inside)}$"
        blocks = [
            Words(rf"The noisy value has the coordinates $y = ({names})$ of one joint law{where}:"),
            *self.formula("the log density", self.law, derive.readable(d.log_density), self.densities_differ),
            Words("Its gradient, the regression target, has the coordinates"),
        ]
        for symbol, expr in zip(d.noisy_symbols, self.score, strict=True):
            left = rf"\partial_{{{self.tex(symbol)}}} {self.law}"
            blocks += self.formula("the score", left, expr, self.scores_differ)
        return Section("The kernel", tuple(blocks))

    def densities_differ(self):
        """The printed log density and that of the declaration."""
        printed = derive.readable(self.declaration.log_density)
        for y, x, given in self.places:
            yield self.log_p(y, x, given), self.value(printed, y, x, given)

    def information_sides(self, expr: sp.Expr) -> list[tuple] | None:
        """Where the map is affine in Gaussian noises, the score has the precision as its slope."""
        noise = self.declaration.noise
        curved = [g for g in noise.maps if any(c != 0 for c in sp.hessian(g, noise.variables))]
        normal = sp.hessian(noise.log_density, noise.variables) == -sp.eye(len(noise.variables))
        return super().information_sides(expr) if normal and not curved else None

    def objective_section(self) -> Section:
        targets = joint_targets(self.declaration)
        if targets is None:
            left = rf"J_{{\mathrm{{DSM}}}}({self.psi})"
            right = (
                rf"\mathbb{{E}}_{{{self.x}}}\, \mathbb{{E}}_{{y \mid {self.x}}}\, \tfrac12 "
                rf"\bigl\|{self.psi}(y) - \nabla {self.law}\bigr\|^2."
            )
            return Section("The objective", (display(Step("the objective", left, (right,), self.scores_differ)),))
        return self._in_noise([derive.readable(e) for e in targets[0]])

    def _in_noise(self, targets: list[sp.Expr]) -> Section:
        """The map from the noise and the target in the noise, coordinate by coordinate."""
        noise = self.declaration.noise
        writer_names = {e: sp.Symbol(f"e_{k}", real=True) for k, e in enumerate(noise.variables, 1)}

        def shown(expr):
            return expr.xreplace(writer_names)

        def maps():
            for y, x, given, e in self.drawn:
                yield from ((v, self._of_noise(g, e, x, given)) for v, g in zip(y, noise.maps, strict=True))

        def agree():
            for y, x, given, e in self.drawn:
                slopes = self.gradient(lambda v, x=x, g=given: self.log_p(v, x, g), y)
                yield from ((s, self._of_noise(f, e, x, given)) for s, f in zip(slopes, targets, strict=True))

        blocks: list = [
            Words(
                rf"The noisy value is drawn as $y = g({self.x}, e)$ from the noise $e$. The target is written in $e$:"
            )
        ]
        for k, (symbol, g, t) in enumerate(zip(self.declaration.noisy_symbols, noise.maps, targets, strict=True), 1):
            blocks += self.formula("the map from the noise", rf"{self.tex(symbol)} = g_{{{k}}}", shown(g), maps)
            blocks += self.formula("the target in the noise", rf"t_{{{k}}}({self.x}, e)", shown(t), agree)
        ending = (
            rf"\mathbb{{E}}_{{{self.x}}}\, \mathbb{{E}}_{{e}}\, \tfrac12 \bigl\|{self.psi}(g({self.x}, e)) "
            rf"- t({self.x}, e)\bigr\|^2."
        )
        step = Step("the objective in the noise", rf"J_{{\mathrm{{DSM}}}}({self.psi})", (ending,), agree)
        return Section("The objective in the noise", (*blocks, Words("So the objective is"), display(step)))


def _interior(support: sp.Set, values: dict, rng: random.Random) -> float:
    """A number inside an interval whose ends may depend on the parameters."""
    low, high = (float(numeric(end, list(values))(*values.values())) for end in (support.inf, support.sup))
    if np.isinf(low) and np.isinf(high):
        return rng.uniform(-1.2, 1.2)
    if np.isinf(high):
        return low + rng.uniform(0.4, 2.0)
    if np.isinf(low):
        return high - rng.uniform(0.4, 2.0)
    return low + (high - low) * rng.uniform(0.2, 0.8)
