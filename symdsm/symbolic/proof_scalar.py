r"""The proof's part about one scalar kernel: its density, its score, its information, its objective in the noise.

    log p(y | x),  d/dy log p,  I(x) = E[(d/dy log p)^2 | x],  d/dlevel log p,  y = g(x, e):  d/dy log p = t(x, e)

Each formula is the one that code is generated from, written out for people, and is verified as it is printed: against
mpmath's derivative of the log density, or an integral.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import mpmath
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.findings import Regularity
from symdsm.symbolic.information import fisher_information, mean_of_square
from symdsm.symbolic.proof_chain import told
from symdsm.symbolic.proof_document import Raw, Section, Words
from symdsm.symbolic.proof_numbers import Place, ScalarNumbers, network
from symdsm.symbolic.proof_steps import Step, definitions, display, evaluated
from symdsm.symbolic.proof_tex import LINE, Writer
from symdsm.symbolic.tweedie import tweedie

__all__ = ["ScalarSubject", "ELEMENTWISE"]

ELEMENTWISE = (
    "The kernel acts on each entry of an array by itself; norms and inner products sum over the entries, and the "
    "formulae below are those of one entry."
)


@dataclass
class ScalarSubject:
    """A scalar declaration with its printed symbols; `conditions` are those of `ScalarNumbers`."""

    declaration: Declaration
    writer: Writer
    conditions: tuple
    psi: str = r"\psi"
    q: str = "q"
    remark: str = ELEMENTWISE

    def tex(self, expr: sp.Basic) -> str:
        return self.writer.tex(expr)

    @property
    def y(self) -> str:
        return self.writer.tex(self.declaration.noisy)

    @property
    def x(self) -> str:
        return self.writer.tex(self.declaration.clean)

    @cached_property
    def numbers(self) -> ScalarNumbers:
        return ScalarNumbers(self.declaration, self.conditions)

    @cached_property
    def score(self) -> sp.Expr:
        """The score as it is printed."""
        return derive.readable(derive.score(self.declaration))

    @cached_property
    def _printed_score(self):
        return evaluated(self.score, [self.declaration.noisy, *self.numbers.symbols])

    def score_at(self, place: Place):
        return self._printed_score(place.y, *place.given.values())

    @cached_property
    def drawn(self) -> tuple[sp.Expr, sp.Expr] | None:
        """(map, target) in the noise as they are printed; None when there is no one-to-one map."""
        targets = derive.noise_targets(self.declaration)
        if targets is None:
            return None
        return derive.readable(self.declaration.noise.map), derive.readable(targets[0])

    # The numbers of the general lines

    def squares(self) -> Iterable[tuple]:
        for place in self.numbers.places:
            a, b = network(place.y), self.score_at(place)
            yield (a - b) ** 2 / 2, a**2 / 2 - a * b + b**2 / 2

    def expectation(self) -> Iterable[tuple]:
        """E psi(y) score over the declared noise, and under the density; without noise only the density's own mass."""
        for point in self.numbers.points[:1]:
            under = self.numbers.integral(
                point, lambda y: 1, lambda y, p=point: network(y) * self.score_at(Place(p, y))
            )
            drawn = None
            if self.drawn is not None:
                target = evaluated(self.drawn[1], [self.declaration.noise.variable, *self.numbers.symbols])
                drawn = self.numbers.over_noise(
                    point,
                    lambda e: 1,
                    lambda e, p=point, t=target: network(self.numbers.noisy_of(e, p)) * t(e, *p.values()),
                )
            if under is None or drawn is None:
                yield from self.squares()
                return
            yield drawn[1] / drawn[0], under[1] / under[0]

    def product(self) -> Iterable[tuple]:
        for place in self.numbers.places:
            yield self.numbers.p(place.y, place.given) * self.score_at(place), self.numbers.slope(place)

    def swap(self) -> Iterable[tuple]:
        found = [self.numbers.swap(place, self.score_at) for place in self.numbers.places[:4:2]]
        yield from (f for f in found if f is not None)

    def broken(self) -> tuple | None:
        """Both sides of the swap, as text, at the place where they differ most."""
        found = [
            f for f in (self.numbers.swap(place, self.score_at) for place in self.numbers.places[::2]) if f is not None
        ]
        if not found:
            return None
        outer, inner = max(found, key=lambda f: abs(f[0] - f[1]))
        return mpmath.nstr(inner, 4), mpmath.nstr(outer, 4)

    def quotient(self) -> Iterable[tuple]:
        """d/dy q and q d/dy log q of a law of two clean values, the latter from the printed score."""
        for place, other, share in self._pairs():
            q = share * self.numbers.p(place.y, place.given) + (1 - share) * self.numbers.p(other.y, other.given)
            slope = share * self.numbers.slope(place) + (1 - share) * self.numbers.slope(other)
            yield slope, q * self._mean_score(place, other, share)

    def constant(self) -> Iterable[tuple]:
        """E s^2 - m^2 and E (s - m)^2 under the posterior of a law of two clean values, m its mean of the score."""
        for place, other, share in self._pairs():
            weights = self._posterior(place, other, share)
            scores = self.score_at(place), self.score_at(other)
            mean = self._mean_score(place, other, share)
            square = sum(w * s**2 for w, s in zip(weights, scores, strict=True))
            yield square - mean**2, sum(w * (s - mean) ** 2 for w, s in zip(weights, scores, strict=True))

    def _pairs(self):
        """Two places of one noisy value whose clean values differ a little."""
        x = self.declaration.clean
        for place in self.numbers.places:
            for factor in ("1.05", "0.95"):
                near = place.given | {x: place.given[x] * mpmath.mpf(factor)}
                if self.numbers.p(place.y, near) > 0:
                    yield place, Place(near, place.y), mpmath.mpf("0.4")
                    break

    def _posterior(self, place, other, share):
        masses = share * self.numbers.p(place.y, place.given), (1 - share) * self.numbers.p(other.y, other.given)
        return [m / sum(masses) for m in masses]

    def _mean_score(self, place, other, share):
        weights = self._posterior(place, other, share)
        return weights[0] * self.score_at(place) + weights[1] * self.score_at(other)

    # The sections of this kernel

    @property
    def law(self) -> str:
        return rf"\log p({self.y} \mid {self.x})"

    def formula(self, name: str, left: str, expr: sp.Expr, sides, room: float = LINE) -> list:
        """The verified formula, and the names given to its wide parts."""
        lines, parts = self.writer.broken(expr, room)
        blocks = [display(Step(name, left, lines, sides))]
        return [*blocks, Words("with"), definitions(*parts)] if parts else blocks

    def _where(self) -> str:
        if self.declaration.period is not None:
            return rf"For angles ${self.y}$ of period ${self.tex(self.declaration.period)}$,"
        return rf"For ${self.y} \in {self.tex(self.declaration.support)}$,"

    def kernel_section(self) -> Section:
        """Density and score."""
        d, n = self.declaration, self.numbers
        log_density = derive.readable(d.log_density)
        printed = evaluated(log_density, [d.noisy, *n.symbols])
        blocks: list = [Words(self._where())]
        blocks += self.formula(
            "the log density as it is printed",
            self.law,
            log_density,
            lambda: [(n.log_p(p.y, p.given), printed(p.y, *p.given.values())) for p in n.places],
        )
        mass = n.integral(n.points[0], lambda y: 1) if d.normalised is True and n.points else None
        if mass is not None:
            over = ", over one period" if d.period is not None else ""
            whole = rf"\int p({self.y} \mid {self.x})\, d{self.y}"
            blocks.append(Words(f"It is a density{over}:"))
            blocks.append(display(Step("the mass of the density", whole, ("1.",), lambda: [(mass[0], 1)])))
        elif d.normalised is not True:
            blocks.append(Words("Its constant factor is not known; the score in the noisy value does not need it."))
        blocks.append(Words("Its derivative, the regression target, is"))
        blocks += self.formula(
            "the score",
            rf"\partial_{{{self.y}}} {self.law}",
            self.score,
            lambda: [(n.slope_of_log(p), self.score_at(p)) for p in n.places],
        )
        return Section("The kernel", tuple(blocks))

    def information_section(self, regularity: Regularity) -> Section:
        """I(x), and C with it."""
        found, values = fisher_information(self.declaration), []
        title, square = "The Fisher information", rf"(\partial_{{{self.y}}} {self.law})^2 \mid {self.x}"
        if found.expr is not None:
            values = list(self._squares_by_quadrature())
        if not values:
            why = found.method if found.expr is None else "none could be held against quadrature"
            words = rf"$I({self.x}) = \mathbb{{E}}[{square}]$ has no closed form that is printed here: "
            return Section(title, (Words(words, Raw(why), "."),))
        exact = derive.readable(found.exact)
        printed = evaluated(exact, self.numbers.symbols)
        left = rf"I({self.x}) = \mathbb{{E}}\bigl[{square}\bigr]"
        blocks = self.formula(
            "the Fisher information", left, exact, lambda: [(v, printed(*p.values())) for p, v in values], LINE - 6
        )
        if found.condition is not sp.false and regularity.holds is not sp.false:
            constant = (
                rf"C = \tfrac12 \mathbb{{E}}_{{{self.y} \sim {self.q}}} \|\nabla \log {self.q}({self.y})\|^2 - "
                rf"\tfrac12 \mathbb{{E}}_{{{self.x}}} I({self.x})"
            )
            weight = "one over its mean over the data is the natural weight of a noise level"
            doubt = rf"A weight that depends on ${self.x}$ itself would move the minimiser."
            blocks.append(Words(rf"With it, ${constant}$, and {weight}. {doubt}"))
        return Section(title, tuple(blocks))

    def mean_section(self, regularity: Regularity) -> Section | None:
        """E[score | x], the mean that makes the target a control variate."""
        value = next((f.value for f in regularity.findings if f.row == "mean"), None)
        if not isinstance(value, sp.Expr):
            return None
        n, mean = self.numbers, derive.readable(value)
        printed = evaluated(mean, n.symbols)
        masses = [(p, n.integral(p, lambda y: 1, lambda y, p=p: self.score_at(Place(p, y)))) for p in n.points]
        pairs = [(m[1] / m[0], printed(*p.values())) for p, m in masses if m is not None]
        if not pairs:
            return None
        left = rf"\mathbb{{E}}\bigl[\partial_{{{self.y}}} {self.law} \mid {self.x}\bigr]"
        words = (
            "By the fundamental theorem of calculus the target has a known mean, $p$ at the upper end of the support "
            rf"less $p$ at the lower end. Less this mean, and times ${self.psi}({self.x})$, it is a control variate: "
            "added to the loss it changes no mean, and for little noise it takes most of the variance away."
        )
        return Section(
            "The mean of the target",
            (Words(words), *self.formula("the mean of the score", left, mean, lambda: pairs, LINE - 6)),
        )

    def denoiser_section(self) -> Section | None:
        """The posterior mean that the marginal score gives (generalised Tweedie)."""
        found = tweedie(self.declaration)
        if not found.denoises:
            return Section("The denoiser", (Words("The marginal score gives no denoiser: ", Raw(found.reason), "."),))
        d, n = self.declaration, self.numbers
        mean, statistic = derive.readable(found.mean), derive.readable(found.statistic)
        value = evaluated(mean, [d.noisy, found.score, *n.symbols])
        of_x = evaluated(statistic, n.symbols)

        def sides():
            for place, other, share in self._pairs():
                weights = self._posterior(place, other, share)
                exact = sum(w * of_x(*p.given.values()) for w, p in zip(weights, (place, other), strict=True))
                yield exact, value(place.y, self._mean_score(place, other, share), *place.given.values())

        score = self.tex(found.score)
        words = (
            rf"The score is an affine function of ${self.tex(statistic)}$, so the mean of the lines above, "
            rf"${score} = \partial_{{{self.y}}} \log {self.q}({self.y})$, gives its posterior mean whatever the prior "
            "(generalised Tweedie):"
        )
        left = rf"\mathbb{{E}}\bigl[{self.tex(statistic)} \mid {self.y}\bigr]"
        return Section("The denoiser", (Words(words), *self.formula("the denoiser", left, mean, sides)))

    def _squares_by_quadrature(self):
        d = self.declaration
        for point in self.numbers.points:
            if d.noise is not None and d.period is None and derive.noise_targets(d) is not None:
                score = derive.score(d).xreplace({d.noisy: d.noise.map})
                value = mean_of_square(d.noise.log_density, d.noise.variable, d.noise.support, score, point)
            else:
                support = d.support
                if d.period is not None:
                    support = sp.Interval(-d.period / 2, d.period / 2)
                value = mean_of_square(d.log_density, d.noisy, support, derive.score(d), point)
            if value is not None:
                yield point, value

    def level_section(self, regularity: Regularity) -> Section | None:
        """The same lines with the derivative in the level."""
        d, n = self.declaration, self.numbers
        if d.level is None or d.normalised is not True:
            return None
        level = self.writer.tex(d.level)
        findings = [f for f in regularity.findings if f.row == "level"]
        title = "The level score"
        if regularity.level_holds is None or regularity.level_holds is sp.false:
            words = rf"The derivative in ${level}$ is not claimed to be matched (dual score matching). "
            return Section(title, (Words(words, *told(findings, self.tex)),))
        expr = derive.readable(derive.level_score(d))
        printed = evaluated(expr, [d.noisy, *n.symbols])
        swapped = [n.swap(p, lambda at: printed(at.y, *at.given.values()), d.level) for p in n.places[:1]]
        blocks = [
            Words(rf"The lines above hold for any derivative that may be taken under the integral. With $\partial_"
                   rf"{{{level}}}$ in place of $\nabla$ they match $\partial_{{{level}}} \log {self.q}({self.y})$ "
                   "(dual score matching). ", *told(findings, self.tex)),
            *self.formula(
                "the level score", rf"\partial_{{{level}}} {self.law}", expr,
                lambda: [(n.slope_of_log(p, d.level), printed(p.y, *p.given.values())) for p in n.places],
            ),
            display(Step(
                "derivative in the level and integral are swapped",
                rf"\partial_{{{level}}} \textstyle\int p({self.x})\, p({self.y} \mid {self.x})\, d{self.x}",
                (rf"\textstyle\int p({self.x})\, p({self.y} \mid {self.x})\, \partial_{{{level}}} {self.law}\, "
                 rf"d{self.x}.",),
                lambda: [pair for pair in swapped if pair is not None],
            )),
        ]  # fmt: skip
        return Section(title, tuple(blocks))
