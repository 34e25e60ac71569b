"""The Fisher information E[score^2 | x] in emitted code.

A closed form where symbolic/information.py has one (inf outside its condition); else the mean of score^2 by the
adaptive quadrature of special/quantile.py, in the declared noise or in y.
"""

import sympy as sp

from symdsm.codegen.quantile import entry_lines, window
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.derive import derivative, noise_targets

__all__ = ["fisher_lines"]


def fisher_lines(declaration, doprint, params) -> tuple[list[str], str]:
    """Lines and the text of E[score^2 | x], of the common shape of x and the parameters."""
    noise, targets = declaration.noise, noise_targets(declaration)
    if targets is not None:
        e = sp.Symbol("e", real=True)
        put = {noise.variable: e}
        log_density, score = noise.log_density.xreplace(put), targets[0].xreplace(put)
        support, variable = noise.support, "e"
        low, high, start = window(support, declaration.period)
    else:
        log_density = declaration.log_density
        score, support, variable = derivative(log_density, declaration.noisy), declaration.support, "y"
        low, high, start = window(support, declaration.period, declaration.anchor, declaration.clean)
    inside = None if isinstance(support, sp.Interval) or variable == "e" else declaration.inside
    names = ["x", *params]
    own = entry_lines(variable, log_density, inside, doprint)
    own += [f"def score({variable}):", f"    return {doprint(stabilise(score))}"]
    call = f"special.mean_square(log_density, score, {doprint(low)}, {doprint(high)}, {doprint(start)})"
    lines = [f"def information({', '.join(names)}):", *[f"    {line}" for line in own], f"    return {call}"]
    return lines, f"special.entrywise({', '.join(['information', *names])})"
