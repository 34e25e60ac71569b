"""The Fisher information E[score^2 | x] in emitted code.

A closed form where symbolic/information.py has one (inf outside its condition); else the mean of score^2 by the
adaptive quadrature of special/quantile.py, in the declared noise or in y.
"""

import sympy as sp

from symdsm.codegen.quantile import density_lines, function_lines, window
from symdsm.codegen.stabilise import stabilise
from symdsm.errors import CodegenError
from symdsm.symbolic.derive import derivative, noise_targets
from symdsm.symbolic.information import fisher_information

__all__ = ["fisher_lines"]


def fisher_lines(declaration, doprint, params) -> tuple[list[str], str]:
    """Lines and the text of E[score^2 | x], of the common shape of x and the parameters."""
    information = fisher_information(declaration)
    if information.expr is not None:
        try:
            return _closed_form(information, doprint, ["x", *params])
        except CodegenError:
            pass
    return _by_quadrature(declaration, doprint, ["x", *params])


def _closed_form(information, doprint, names):
    shape = f"jnp.broadcast_shapes({', '.join(f'jnp.shape({n})' for n in names)})"
    dtype = f"jnp.result_type({', '.join([*names, '0.0'])})"
    if information.condition == sp.false:
        return [], f"jnp.full({shape}, jnp.inf, {dtype})"
    value = doprint(stabilise(information.expr))
    if information.condition != sp.true:
        value = f"jnp.where({doprint(information.condition)}, {value}, jnp.inf)"
    return [], f"jnp.broadcast_to(jnp.asarray({value}, {dtype}), {shape})"


def _by_quadrature(declaration, doprint, names):
    noise, targets = declaration.noise, noise_targets(declaration)
    if targets is not None:
        e = sp.Symbol("e", **noise.variable._assumptions_orig)
        put = {noise.variable: e}
        log_density, score = noise.log_density.xreplace(put), targets[0].xreplace(put)
        variable, inside = "e", None
        low, high, start = window(noise.support, declaration.period)
    else:
        log_density, variable = declaration.log_density, "y"
        score = derivative(log_density, declaration.noisy)
        inside = None if isinstance(declaration.support, sp.Interval) else declaration.inside
        low, high, start = window(declaration.support, declaration.period, declaration.anchor, declaration.clean)
    own = density_lines(variable, log_density, inside, doprint, declaration.noisy if variable == "y" else e)
    own += ["", f"def score_of({variable}):", f"    return {doprint(stabilise(score))}", ""]
    call = f"special.mean_square(log_density, score_of, {doprint(low)}, {doprint(high)}, {doprint(start)})"
    lines = function_lines("information", names, own, call)
    return lines, f"special.entrywise({', '.join(['information', *names])})"
