r"""The objective of one scalar kernel, with the noisy value drawn as the code draws it.

    y = g(x, e), e ~ f:      J_DSM(psi) = E_x E_e 1/2 || psi(g(x, e)) - t(x, e) ||^2,    t(x, e) = d/dy log p at g(x, e)

For the Gaussian kernel g = x + sigma z and t = -z/sigma, so that it is E 1/2 ||psi(x + sigma z) + z/sigma||^2. The
target is written in the noise, where nothing cancels. Kernels declared by a density have it in y; a mixture has its
parts.
"""

import mpmath
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.proof_document import Section, Words
from symdsm.symbolic.proof_numbers import Place, network
from symdsm.symbolic.proof_scalar import ScalarSubject
from symdsm.symbolic.proof_steps import Step, display, evaluated
from symdsm.symbolic.proof_tex import LINE, width

__all__ = ["objective_section"]


def objective_section(s: ScalarSubject) -> Section:
    """J_DSM in the noise, in y, or by its parts."""
    if s.declaration.parts:
        return _by_parts(s)
    if s.drawn is None:
        words = "The kernel was declared by its density, so the objective stands in the noisy value itself:"
        return Section("The objective", (Words(words), _in_y(s)))
    return _in_noise(s)


def _in_noise(s: ScalarSubject) -> Section:
    n, noise = s.numbers, s.declaration.noise
    e, symbols = s.tex(noise.variable), [noise.variable, *n.symbols]
    noise_map, target = s.drawn
    density = derive.readable(noise.log_density)
    g, t, log_f, slope = (
        evaluated(f, symbols) for f in (noise_map, target, density, sp.diff(noise_map, noise.variable))
    )
    places = [(p, v, n.noisy_of(v, p)) for p in n.points for v in n.noises(p)[:2]]

    def at(f, p, v):
        return f(v, *p.values())

    blocks = [
        Words(
            rf"The noisy value is drawn as ${s.y} = g({s.x}, {e})$ from a noise ${e}$ of log density $\log f({e})$. "
            rf"The target $t({s.x}, {e})$ is written in ${e}$ itself, where nothing cancels:"
        ),
        *s.formula("the map from the noise", s.y, noise_map, lambda: [(y, at(g, p, v)) for p, v, y in places]),
        *s.formula(
            "the density of the noise",
            rf"\log f({e})",
            density,
            lambda: [(n.log_p(y, p) + mpmath.log(abs(at(slope, p, v))), at(log_f, p, v)) for p, v, y in places],
        ),
        *s.formula(
            "the target in the noise",
            rf"\partial_{{{s.y}}} {s.law}",
            target,
            lambda: [(n.slope_of_log(Place(p, y)), at(t, p, v)) for p, v, y in places],
        ),
        Words("So the objective is"),
        _ending(s, places),
    ]
    return Section("The objective in the noise", tuple(blocks))


def _ending(s: ScalarSubject, places):
    """J = E 1/2 || psi(g(x, e)) - t(x, e) ||^2, with a plus sign where the target is a negative term.

    In the letters g and t, both displayed above, where their formulae are too wide for a line.
    """
    n, noise = s.numbers, s.declaration.noise
    noise_map, target = s.drawn
    opposite = derive.readable(-target)
    adds = not (opposite.is_Add or s.tex(opposite).startswith("-"))
    printed = opposite if adds else target
    shown = rf"\left({s.tex(printed)}\right)" if printed.is_Add else s.tex(printed)
    value, sign = evaluated(printed, [noise.variable, *n.symbols]), 1 if adds else -1
    e = s.tex(noise.variable)
    body = rf"\left\|{s.psi}\left({s.tex(noise_map)}\right) {'+' if adds else '-'} {shown}\right\|^2."
    if width(noise_map) + width(printed) > LINE:
        body = rf"\bigl\|{s.psi}(g({s.x}, {e})) - t({s.x}, {e})\bigr\|^2."

    def sides():
        for p, v, y in places:
            a = network(y)
            yield (a - n.slope_of_log(Place(p, y))) ** 2 / 2, (a + sign * value(v, *p.values())) ** 2 / 2

    head = rf"\mathbb{{E}}_{{{s.x} \sim p}}\, \mathbb{{E}}_{{{e} \sim f}}\, \tfrac12"
    return display(Step("the objective in the noise", rf"J_{{\mathrm{{DSM}}}}({s.psi})", (f"{head} {body}",), sides))


def _in_y(s: ScalarSubject):
    miss = s.tex(s.score)
    miss = rf"\left({miss}\right)" if s.score.is_Add or miss.startswith("-") else miss
    if width(s.score) > LINE:
        miss = rf"\partial_{{{s.y}}} {s.law}"
    expectation = rf"\mathbb{{E}}_{{{s.x}}}\, \mathbb{{E}}_{{{s.y} \mid {s.x}}}\, \tfrac12"
    places = s.numbers.places
    return display(
        Step(
            "the objective",
            rf"J_{{\mathrm{{DSM}}}}({s.psi})",
            (rf"{expectation} \left\|{s.psi}({s.y}) - {miss}\right\|^2.",),
            lambda: [
                ((network(p.y) - s.numbers.slope_of_log(p)) ** 2, (network(p.y) - s.score_at(p)) ** 2) for p in places
            ],
        )
    )


def _by_parts(s: ScalarSubject) -> Section:
    """The parts, which add up to the density; the target is the mixture's score."""
    d = s.declaration
    parts = [
        (derive.readable(weight), derive.readable(p.log_density.xreplace({p.noisy: d.noisy, p.clean: d.clean})))
        for p, weight in d.parts
    ]
    symbols = [d.noisy, *s.numbers.symbols]
    values = [[evaluated(f, symbols) for f in pair] for pair in parts]

    def add_up():
        for place in s.numbers.places:
            at = (place.y, *place.given.values())
            yield s.numbers.p(place.y, place.given), sum(w(*at) * mpmath.exp(log_p(*at)) for w, log_p in values)

    laws = [rf"p_{{{k}}}({s.y} \mid {s.x})" for k in range(1, len(parts) + 1)]
    total = " + ".join(rf"w_{{{k}}}\, {law}" for k, law in enumerate(laws, 1))
    steps = [Step("the density is the mixture of its parts", rf"p({s.y} \mid {s.x})", (total,), add_up)]
    for k, (law, (weight, log_p)) in enumerate(zip(laws, parts, strict=True), 1):
        for left, expr in ((f"w_{{{k}}}", weight), (rf"\log {law}", log_p)):
            steps.append(Step("the parts of the mixture", left, s.writer.lines(expr), add_up))
    words = (
        "A part is drawn by its weight, then the noisy value from it. The target is the score of the mixture at that "
    )
    blocks = (
        Words("The noise is a mixture:"),
        display(*steps),
        Words(f"{words}value, not the score of the part:"),
        _in_y(s),
    )
    return Section("The objective", blocks)
