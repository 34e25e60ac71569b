r"""The equivalence J_ESM = J_DSM + C, line by line, with the conditions of one kernel at the lines that use them.

    J_ESM(psi) = E_q 1/2 ||psi(y) - grad log q(y)||^2,        q(y) = integral p(x) p(y | x) dx
    J_DSM(psi) = E 1/2 ||psi(y) - grad log p(y | x)||^2

Both squares are expanded; the terms in ||psi||^2 agree because y has the law q in both. The mixed terms agree because

    E <psi, grad log p(y|x)> = iint p(x) <psi, grad p(y|x)> = int <psi, grad q> = E_q <psi, grad log q>,

which uses that the density has no jump where the clean value moves it and that gradient and integral may be swapped.
What is left does not hold psi: C = 1/2 E_q ||grad log q||^2 - 1/2 E ||grad log p(y|x)||^2.

A condition that fails, or is not known, ends the text at its line. Source: Vincent, Neural Computation 23 (2011).
"""

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import sympy as sp

from symdsm.symbolic.findings import Finding, Regularity
from symdsm.symbolic.proof_document import Items, Raw, Section, Words
from symdsm.symbolic.proof_steps import Step, definitions, display

__all__ = ["Subject", "equivalence", "statement", "title_of", "told"]

Sides = Callable[[], Iterable[tuple]]


@runtime_checkable
class Subject(Protocol):
    """What the general part asks of a kernel: how its variables look, and the numbers of both sides of each line."""

    y: str
    x: str
    psi: str
    q: str
    remark: str

    def tex(self, expr: sp.Basic) -> str: ...

    def squares(self) -> Iterable[tuple]: ...

    def expectation(self) -> Iterable[tuple]: ...

    def product(self) -> Iterable[tuple]: ...

    def swap(self) -> Iterable[tuple]: ...

    def quotient(self) -> Iterable[tuple]: ...

    def constant(self) -> Iterable[tuple]: ...

    def broken(self) -> tuple | None: ...


def title_of(s: Subject) -> str:
    return rf"Denoising score matching for $p({s.y} \mid {s.x})$"


def statement(s: Subject) -> Section:
    """The two objectives and the claim."""
    y, x, psi, q = s.y, s.x, s.psi, s.q
    return Section(
        "What is to be proven",
        (
            Words(
                rf"Let ${x} \sim p({x})$ be the clean value, ${y} \sim p({y} \mid {x})$ the noisy one, and ${psi}$ a "
                rf"network with $\mathbb{{E}}\|{psi}({y})\|^2 < \infty$. {s.remark}"
            ),
            definitions(
                (rf"{q}({y})", (rf"\int p({x})\, p({y} \mid {x})\, d{x}",)),
                (
                    rf"J_{{\mathrm{{ESM}}}}({psi})",
                    (rf"\mathbb{{E}}_{{{y} \sim {q}}} \tfrac12 \bigl\|{psi}({y}) - \nabla \log {q}({y})\bigr\|^2",),
                ),
                (
                    rf"J_{{\mathrm{{DSM}}}}({psi})",
                    (rf"\mathbb{{E}}_{{{x}, {y}}} \tfrac12 \bigl\|{psi}({y}) - \nabla \log p({y} \mid {x})\bigr\|^2",),
                ),
            ),
            Words(
                rf"Claim: $J_{{\mathrm{{ESM}}}}({psi}) = J_{{\mathrm{{DSM}}}}({psi}) + C$ with a number $C$ that does "
                rf"not depend on ${psi}$ (Vincent 2011, proposition 1). Gradients are in ${y}$."
            ),
        ),
    )


def equivalence(s: Subject, regularity: Regularity) -> tuple[Section, bool]:
    """The proof, and whether it came to its end."""
    finite = [f for f in regularity.findings if f.row == "variance"]
    swapping = [f for f in regularity.findings if f.row in ("law", "edges", "jumps", "swap")]
    blocks = [*_expansion(s, finite), Words(_mixed(s))]
    holds = regularity.identity_holds
    if holds is None or holds is sp.false:
        blocks += [display(*_lines(s)[:3]), _reasons(s, finite, ()), *_stop(s, holds, swapping)]
        return Section("The proof", tuple(blocks)), False
    blocks += [display(*_lines(s)), _reasons(s, finite, swapping), *_conclusion(s, finite)]
    return Section("The proof", tuple(blocks)), True


def _expansion(s: Subject, finite: list[Finding]) -> list:
    y, x, psi, q = s.y, s.x, s.psi, s.q
    mean_q, mean = rf"\mathbb{{E}}_{{{y} \sim {q}}}", rf"\mathbb{{E}}_{{{x}, {y}}}"
    grad_q, grad_p = rf"\nabla \log {q}({y})", rf"\nabla \log p({y} \mid {x})"
    rows = [
        Step(
            f"the square of J_{name} is expanded",
            rf"J_{{\mathrm{{{name}}}}}({psi})",
            (
                rf"\tfrac12 {e} \|{psi}({y})\|^2 - {e} \langle {psi}({y}), {grad} \rangle",
                rf"{{}} + \tfrac12 {e} \|{grad}\|^2",
            ),
            s.squares,
        )
        for name, e, grad in (("ESM", mean_q, grad_q), ("DSM", mean, grad_p))
    ]
    after = rf"The first terms agree, because ${y}$ has the law ${q}$ in both. "
    if not finite or all(f.when is sp.true for f in finite):
        return [display(*rows), Words(after, "All terms are finite: ", *told(finite, s.tex))]
    if any(f.when is sp.false for f in finite):
        doubt = r"The last term of $J_{\mathrm{DSM}}$ is infinite for this kernel, so that $J$ is read without it "
        return [display(*rows), Words(after, doubt, "from here on: ", *told(finite, s.tex))]
    return [display(*rows), Words(after, "That the last terms are finite is a condition: ", *told(finite, s.tex))]


def _mixed(s: Subject) -> str:
    return "For the mixed term,"


def _lines(s: Subject) -> list[Step]:
    y, x, psi, q = s.y, s.x, s.psi, s.q
    p = rf"p({y} \mid {x})"
    return [
        Step(
            "the expectation is an integral",
            rf"\mathbb{{E}}_{{{x}, {y}}} \langle {psi}({y}), \nabla \log {p} \rangle",
            (rf"\iint p({x})\, {p}\, \langle {psi}({y}), \nabla \log {p} \rangle\, d{y}\, d{x}",),
            s.expectation,
            1,
        ),
        Step(
            "p grad log p = grad p", "", (rf"\iint p({x})\, \langle {psi}({y}), \nabla {p} \rangle\, d{y}\, d{x}",),
            s.product, 2,
        ),
        Step(
            "the order of integration",
            "",
            (rf"\int \bigl\langle {psi}({y}), \textstyle\int p({x})\, \nabla {p}\, d{x} \bigr\rangle\, d{y}",),
            s.product,
            3,
        ),
        Step(
            "gradient and integral are swapped",
            "",
            (rf"\int \bigl\langle {psi}({y}), \nabla \textstyle\int p({x})\, {p}\, d{x} \bigr\rangle\, d{y}",),
            s.swap,
            4,
        ),
        Step("the definition of q", "", (rf"\int \langle {psi}({y}), \nabla {q}({y}) \rangle\, d{y}",), s.quotient, 5),
        Step(
            "grad q = q grad log q", "",
            (rf"\int {q}({y})\, \langle {psi}({y}), \nabla \log {q}({y}) \rangle\, d{y}",), s.quotient, 6,
        ),
        Step(
            "the integral is an expectation", "",
            (rf"\mathbb{{E}}_{{{y} \sim {q}}} \langle {psi}({y}), \nabla \log {q}({y}) \rangle.",), s.quotient, 7,
        ),
    ]  # fmt: skip


def _reasons(s: Subject, finite: list[Finding], swapping) -> Items:
    y, x, psi = s.y, s.x, s.psi
    p = rf"p({y} \mid {x})"
    rows = [
        Words(rf"Line (2): ${p}\, \nabla \log {p} = \nabla {p}$ wherever ${p} > 0$ has a derivative."),
        Words(
            _fubini(rf"\mathbb{{E}}|\langle {psi}, \nabla \log {p} \rangle|", all(f.when is sp.true for f in finite))
        ),
    ]
    if swapping:
        rows.append(Words("Line (4) is where the kernel's own conditions are used. ", *told(swapping, s.tex)))
        rows.append(Words(rf"Lines (5) to (7): the definition of ${s.q}$, and line (2) for ${s.q}$."))
    return Items(tuple(rows))


def _fubini(mean: str, finite: bool) -> str:
    if finite:
        return f"Line (3) is Fubini's theorem: ${mean}$ is finite, by the inequality of Cauchy and Schwarz."
    return rf"Line (3) is Fubini's theorem, for networks with ${mean} < \infty$."


def told(findings: list[Finding], tex: Callable[[sp.Basic], str]) -> list[str | Raw]:
    """What the check found: the reason, the verdict, and the condition as a formula."""
    out: list[str | Raw] = []
    for f in findings:
        condition = "" if f.when in (None, sp.true, sp.false) else f": ${tex(f.when)}$"
        out += [Raw(f"{f.reason[0].upper()}{f.reason[1:]} ({f.verdict}"), f"{condition}). "]
    return out


def _stop(s: Subject, holds, swapping: list[Finding]) -> list:
    """Why line (4) is not written, and what training would find instead."""
    y, x, q = s.y, s.x, s.q
    line = rf"$\int p({x})\, \nabla p({y} \mid {x})\, d{x} = \nabla \int p({x})\, p({y} \mid {x})\, d{x}$"
    if holds is None:
        open_rows = [f for f in swapping if f.when is None] or swapping
        return [Words(rf"The next line would swap gradient and integral, {line}. Whether it may is not known: ",
                       *told(open_rows, s.tex), "The proof stops here: nothing is claimed.")]  # fmt: skip
    bad = [f for f in swapping if f.when is sp.false]
    blocks = [Words(rf"The next line would swap gradient and integral, {line}. It does not hold for this kernel. ",
                     *told(bad, s.tex))]  # fmt: skip
    seen = s.broken()
    if seen is not None:
        inner, outer = seen
        blocks.append(Words(rf"Tried on numbers, with ${x}$ spread smoothly over a short range, the left side is "
                             f"${inner}$ and the right side ${outer}$ at one ${y}$."))  # fmt: skip
    blocks.append(
        Words(
            rf"The proof stops here. Denoising score matching still has a minimiser, $\mathbb{{E}}[\nabla \log "
            rf"p({y} \mid {x}) \mid {y}]$, but it is not $\nabla \log {q}({y})$."
        )
    )
    return blocks


def _conclusion(s: Subject, finite: list[Finding]) -> list:
    y, x, psi, q = s.y, s.x, s.psi, s.q
    grad_q, grad_p = rf"\nabla \log {q}({y})", rf"\nabla \log p({y} \mid {x})"
    mean = rf"\mathbb{{E}}_{{{x}, {y}}}"
    if any(f.when is sp.false for f in finite):
        return [
            Words(
                rf"So both objectives, read without their last terms, are the same function of ${psi}$, with the "
                rf"minimiser ${psi}({y}) = {grad_q}$ wherever they are finite. The last term of "
                r"$J_{\mathrm{DSM}}$ is infinite: the identity holds, and estimates of it have no finite variance."
            )
        ]
    claim = Step(
        "the difference of the objectives",
        r"J_{\mathrm{ESM}} - J_{\mathrm{DSM}} = C",
        (rf"\tfrac12 \mathbb{{E}}_{{{y} \sim {q}}} \|{grad_q}\|^2 - \tfrac12 {mean} \|{grad_p}\|^2",),
        s.constant,
    )
    residual = Step(
        "C is minus a mean square", "", (rf"-\tfrac12 {mean} \bigl\|{grad_p} - {grad_q}\bigr\|^2 \le 0,",), s.constant
    )
    return [
        Words("The mixed terms agree; what is left is"),
        display(claim, residual),
        Words(
            rf"because ${grad_q} = \mathbb{{E}}[{grad_p} \mid {y}]$, which is lines (1) to (7) without ${psi}$. No "
            rf"${psi}$ stands in $C$, so both objectives have the same gradients and the same minimiser, "
            rf"${psi}({y}) = {grad_q}$. $\square$"
        ),
    ]
