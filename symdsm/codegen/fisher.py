"""The Fisher informations E[score^2 | x] and E[level_score^2 | x] of a scalar kernel in emitted code.

A closed form where symbolic/information.py has one (inf outside its condition); else the mean of score^2 by the
adaptive quadrature of special/quantile.py, in the declared noise or in y, and inf where the check of the level's row
proves that it diverges.
"""

import sympy as sp

from symdsm.codegen.guards import complement
from symdsm.codegen.naming import compact, statements
from symdsm.codegen.quantile import density_lines, function_lines, places_text, window
from symdsm.codegen.shorten import shorten
from symdsm.codegen.stabilise import stabilise
from symdsm.errors import CodegenError
from symdsm.symbolic.derive import derivative, noise_targets
from symdsm.symbolic.information import fisher_information, noisy_information
from symdsm.symbolic.regularity import level_variance

__all__ = ["fisher_lines", "level_fisher_lines"]


def fisher_lines(declaration, doprint, params) -> tuple[list[str], str, list[sp.Basic]]:
    """Lines and the text of E[score^2 | x], of the common shape of x and the parameters; what it is computed from.

    A symbol that is not in each of the last is one that the value does not show to be NaN.
    """
    information = noisy_information(declaration)
    if information.expr is not None:
        try:
            return _closed_form(information.expr, information.condition, doprint, ["x", *params])
        except CodegenError:
            pass
    return _by_quadrature(declaration, doprint, ["x", *params])


def level_fisher_lines(declaration, doprint, params) -> tuple[list[str], str, list[sp.Basic]]:
    """The same for E[level_score^2 | x]."""
    information, names = fisher_information(declaration), ["x", *params]
    if information.level_expr is not None:
        try:
            return _closed_form(information.level_expr, information.level_condition, doprint, names)
        except CodegenError:
            pass
    finite = level_variance(declaration)
    if finite is sp.false:
        return _closed_form(sp.oo, finite, doprint, names)
    lines, value, shown = _by_quadrature(declaration, doprint, names, of_level=True)
    if finite is not None and finite is not sp.true:
        shown = [*shown, sp.Add(*finite.free_symbols)]
        value = f"jnp.where({doprint(complement(finite))}, jnp.inf, {value})"
    return lines, value, shown


def _closed_form(expr, condition, doprint, names):
    lines = [
        f"shape = jnp.broadcast_shapes({', '.join(f'jnp.shape({n})' for n in names)})",
        f"dtype = jnp.result_type({', '.join([*names, '0.0'])})",
    ]
    if condition == sp.false:
        return lines, "jnp.full(shape, jnp.inf, dtype)", [sp.S.Zero]
    value, shown = doprint(shorten(stabilise(expr))), [expr]
    if condition != sp.true:
        shown.append(sp.Add(*condition.free_symbols))
        value = f"jnp.where({doprint(complement(condition))}, jnp.inf, {value})"
    return [*lines, f"value = {value}"], "jnp.broadcast_to(jnp.asarray(value, dtype), shape)", shown


def _by_quadrature(declaration, doprint, names, of_level=False):
    noise, targets = declaration.noise, noise_targets(declaration)
    if targets is not None:
        e = sp.Symbol("e", **noise.variable._assumptions_orig)
        put = {noise.variable: e}
        log_density, score = noise.log_density.xreplace(put), targets[of_level].xreplace(put)
        variable, inside = "e", None
        low, high, start = window(noise.support, declaration.period)
    else:
        log_density, variable = declaration.log_density, "y"
        score = derivative(log_density, declaration.level if of_level else declaration.noisy)
        inside = None if isinstance(declaration.support, sp.Interval) else declaration.inside
        low, high, start = window(declaration.support, declaration.period, declaration.anchor, declaration.clean)
    symbol = declaration.noisy if variable == "y" else e
    own = density_lines(variable, log_density, inside, doprint, declaration.clean, symbol)
    shared, (value,) = statements([compact(stabilise(score))], doprint, symbol, declaration.clean)
    own += ["", f"def score_of({variable}):", *(f"    {line}" for line in shared), f"    return {value}", ""]
    given = [*map(doprint, (low, high, start)), *places_text(log_density, symbol, doprint)]
    call = f"special.mean_square(log_density, score_of, {', '.join(given)})"
    lines = function_lines("information", names, own, call)
    return lines, f"special.entrywise({', '.join(['information', *names])})", [sp.S.Zero]
