r"""The proof's part about kernels on the simplex and the sphere: the gradient is the tangent gradient.

    Simplex   nabla = (I - 11'/n) grad,  dy is Lebesgue measure of y_1, .., y_{n-1}
    Sphere    nabla = (I - y y') grad,   dy is the surface measure

The measure does not depend on the clean value, so the lines of symbolic/proof_chain.py hold for each derivative along a
tangent direction, and these span the tangent space (symbolic/manifolds.py). Numbers: differences along curves that stay
on the manifold, y + t v on the simplex and y cos t + v sin t on the sphere. Means over y are integrals over the whole
manifold for n = 2, a segment or a circle.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from symdsm.symbolic.findings import Regularity
from symdsm.symbolic.manifolds import Simplex
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.proof_chain import told
from symdsm.symbolic.proof_coupled import CoupledSubject
from symdsm.symbolic.proof_document import Section, Words
from symdsm.symbolic.proof_steps import Step, display

__all__ = ["ManifoldSubject"]

_WORDS = {
    "simplex": (
        r"The noisy value is on the simplex, $@_i > 0$ and $\sum @_i = 1$. Densities are taken in $(@_1, \ldots, "
        r"@_{n-1})$, with Lebesgue measure $d@$ there, and $\nabla = (I - \tfrac1n 1 1^\top)\, \partial_{@}$ is the "
        r"tangent gradient."
    ),
    "sphere": (
        r"The noisy value is on the sphere, $\sum @_i^2 = 1$. Densities are taken in the surface measure $d@$, and "
        r"$\nabla = (I - @ @^\top)\, \partial_{@}$ is the tangent gradient."
    ),
}
_SAME = (
    " The measure is the same for every clean value; a derivative along a tangent direction obeys the lines below, "
    r"and these directions span the tangent space, so that the lines hold for $\nabla$; of the network only the "
    "tangent part meets it."
)
_FACTORS = (1, 4, 16, 64)


@dataclass
class ManifoldSubject(CoupledSubject):
    """A kernel on the simplex or the sphere."""

    target: str = "Its tangent gradient"

    def __post_init__(self):
        self.remark = _WORDS[self.declaration.support.manifold].replace("@", self.y) + _SAME

    @property
    def _simplex(self) -> bool:
        return isinstance(self.declaration.support, Simplex)

    @property
    def score_left(self) -> str:
        return rf"\bigl(\nabla {self.law}\bigr)_{{{self.tex(self.index[0])}}}"

    def _random(self, seed: int):
        y, x, given = super()._random(seed)
        return self._settled(y), self._tidy(x), given

    def _settled(self, y) -> np.ndarray:
        """The place on the manifold in the direction of y."""
        return abs(y) / np.sum(abs(y)) if self._simplex else y / np.linalg.norm(y)

    def _tidy(self, x) -> np.ndarray:
        """Clean compositions add to one."""
        return x / np.sum(x) if self._simplex and x.ndim and np.all(x > 0) else x

    def near(self, x, t: float) -> np.ndarray:
        return self._tidy(super().near(x, t))

    def curves(self, y: np.ndarray) -> Iterable[tuple]:
        normal = np.ones(y.shape) if self._simplex else y
        for v in np.linalg.svd(normal[None, :])[2][1:]:
            if self._simplex:
                reach = min(1.0, 10 * float(np.min(y)))
                yield v / reach, lambda t, v=v, r=reach: y + r * t * v
            else:
                yield v, lambda t, v=v: np.cos(t) * y + np.sin(t) * v

    @cached_property
    def whole(self) -> tuple | None:
        """(mass, mean score, mean squared score, place) over the whole manifold for n = 2; None for other lengths."""
        place = self._moderate()
        if place is None:
            return None
        _, x, given = place
        mass, mean, square = 0.0, np.zeros(2), 0.0
        for y, weight in _SEGMENT if self._simplex else _CIRCLE:
            p = weight * np.exp(self.log_p(y, x, given))
            if p > 0:
                s = self.score_at(y, x, given)
                mass, mean, square = mass + p, mean + p * s, square + p * np.sum(s**2)
        return mass, mean / mass, square / mass, place

    def _moderate(self) -> tuple | None:
        """A place of two entries where the squared score has a mean; a larger level concentrates a Dirichlet law."""
        law, level = self.declaration.law, self.declaration.level
        for y, x, given in self.places:
            for factor in _FACTORS if level is not None else _FACTORS[:1]:
                moved = given if level is None else self.at_level(given, float(np.log(factor)))[0]
                dirichlet = law is not None and law.name == "Dirichlet"
                at = [self._number(law.natural, y, x, moved, [(law.j, k)]) for k in range(len(y))] if dirichlet else []
                if len(y) == 2 and all(a > 2.5 for a in at):
                    return y, x, moved
        return None

    def kernel_section(self) -> Section:
        section = super().kernel_section()
        if self.declaration.normalised is not True or self.whole is None:
            return section
        left = rf"\int p({self.y} \mid {self.x})\, d{self.y}"
        mass = Step("the mass is one", left, ("1.",), lambda: [(self.whole[0], 1.0)])
        words = Words("In the reference measure that is named below,")
        return Section(section.title, (*section.blocks, words, display(mass)))

    def information_sides(self, expr: sp.Expr) -> list[tuple] | None:
        if self.whole is None:
            return None
        return [(self.whole[2], self.value(expr, *self.whole[3]))]

    def mean_section(self, regularity: Regularity) -> Section | None:
        """E[nabla log p | x]: 0 where p vanishes at the facets, (n - 1) E[y | x] on the sphere."""
        findings = [f for f in regularity.findings if f.row == "mean" and f.value is not None]
        if not findings or self.whole is None:
            return None
        expr = plain(findings[0].value)
        place = self.whole[3]

        def sides():
            yield from zip(self.whole[1], self._entries(expr, *place), strict=True)

        index = self.tex(self.index[0])
        left = rf"\mathbb{{E}}\bigl[(\nabla {self.law})_{{{index}}} \mid {self.x}\bigr]"
        blocks = self.formula("the mean of the target", left, expr, sides)
        sphere = Words(rf"On the sphere this is $(n - 1)\, \mathbb{{E}}[{self.y} \mid {self.x}]$:")
        return Section(
            "The mean of the target", (Words(*told(findings, self.tex)) if self._simplex else sphere, *blocks)
        )

    def objective_section(self) -> Section:
        left = rf"J_{{\mathrm{{DSM}}}}({self.psi})"
        right = (
            rf"\mathbb{{E}}_{{{self.x}}}\, \mathbb{{E}}_{{{self.y} \mid {self.x}}}\, \tfrac12 "
            rf"\bigl\|{self.psi}({self.y}) - \nabla {self.law}\bigr\|^2,"
        )
        step = Step("the objective", left, (right,), self.scores_differ)
        return Section("The objective", (display(step), Words("with the tangent gradient of the first section.")))


def _segment() -> list[tuple]:
    """Places of the simplex of two entries and weights of dy_1, double exponential at both ends."""
    out = []
    for s in np.arange(-4, 4.01, 1 / 16):
        u = np.pi * np.sinh(s)
        y = np.array([1 / (1 + np.exp(-u)), 1 / (1 + np.exp(u))])
        out.append((y, np.pi * np.cosh(s) * y[0] * y[1] / 16))
    return out


_SEGMENT = _segment()
_CIRCLE = [(np.array([np.cos(a), np.sin(a)]), np.pi / 32) for a in np.arange(64) * np.pi / 32]
