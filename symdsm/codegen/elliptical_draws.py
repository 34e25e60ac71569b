r"""Exact draws from an elliptical coupled kernel, log f = G(q(y)) with q(y) = c + (y - m)' A (y - m).

From the emitted `squared_radius`, which is q, and a point s (the clean value where it has the event's shape, so that
nothing is lost where it is the centre):

    A = q''/2 = L L',        m = s - A^{-1} q'(s)/2,        c = q(m)
    y = m + L^{-T} u,        u = e sqrt(w), e standard normal, where the radius has a law of symbolic/radial_laws.py
                             u = r e/|e| otherwise, r of density r^(n-1) exp G(c + r^2) by the numerical inverse of its
                             distribution function (codegen/special/quantile.py)

Source: Fang, Kotz and Ng, Symmetric Multivariate and Related Distributions (1990), 2.1 and 2.5.
"""

import sympy as sp

from symdsm.codegen.arrays import clean_writer, emit_scalar, of_unknown_noisy, start_text
from symdsm.symbolic.indexed import IndexedDensity
from symdsm.symbolic.indexed_normaliser import Elliptical
from symdsm.symbolic.radial_laws import mixing

__all__ = ["emit_elliptical", "emit_form"]

_LEAST = sp.Dummy("least")


def emit_form(d: IndexedDensity, found: Elliptical) -> str:
    """`def squared_radius(y, x, /, *, ...)`: the quadratic form of one event."""
    return emit_scalar(d, "squared_radius", found.form, "The quadratic form on which the density depends.")


def emit_elliptical(d: IndexedDensity, found: Elliptical) -> list[str]:
    """`def sample(key, x, /, *, ...)`, from `squared_radius` of the same module, after what else it needs.

    Raises DeclarationError when no array but y tells y's shape.
    """
    writer, arguments, shape = of_unknown_noisy(d)
    wanted = ("form", "start", "pull", "half", "factor", "mean", "least", "noise", "first", "second")
    form, start, pull, half, factor, mean, least, noise, first, second = map(writer.lines.name, wanted)
    many = d.event_ndim > 1
    flat, square = (".reshape(-1)", f".reshape({start}.size, {start}.size)") if many else ("", "")
    back = f".reshape({start}.shape)" if many else ""
    law = mixing(d, found, _LEAST)
    if law is None:
        lines, spread = _by_inverse(writer, arguments, least, noise, second)
    else:
        writer.names[_LEAST] = least
        lines, spread = _by_gamma(law, writer, noise, second)
    body = [
        f"{start} = {start_text(d, writer, shape)}",
        "",
        f"def {form}(value):",
        f"    return squared_radius(value, {arguments})",
        "",
        f"{pull} = jax.grad({form})",
        f"{half} = jax.jacfwd({pull})({start}){square} / 2",
        f"{factor} = jnp.linalg.cholesky({half})",
        f"{mean} = {start} - jax.scipy.linalg.cho_solve(({factor}, True), {pull}({start}){flat} / 2){back}",
        *([f"{least} = {form}({mean})"] if least in " ".join([*lines, spread]) else []),
        f"{first}, {second} = jax.random.split(key)",
        f"{noise} = jax.random.normal({first}, ({start}.size,), {start}.dtype)",
        *lines,
        f"return {mean} + {spread} * jax.scipy.linalg.solve_triangular({factor}, {noise}, lower=True, trans=1){back}",
    ]
    sample = writer.function("sample", body, "One draw; exact, from the law of the radius.", "key")
    return [sample] if law is not None else [_profile(d, found), sample]


def _by_gamma(law, writer, noise, key) -> tuple[list[str], str]:
    """Lines, and the text of sqrt(w)."""
    shape, scale = (writer.lowering.fragment(e, ()) for e in (law.shape, law.scale))
    lines = writer.lines.prepare([shape, scale])
    shape, scale = lines.text(shape), lines.text(scale, parenthesise=True)
    draw = f"jax.random.gamma({key}, {shape}, dtype={noise}.dtype)"
    return lines.out, f"jnp.sqrt({scale} {'*' if law.power > 0 else '/'} {draw})"


def _by_inverse(writer, arguments, least, noise, key) -> tuple[list[str], str]:
    """Lines, and the text of r/|e|."""
    radius, density, uniform = map(writer.lines.name, ("radius", "density_of_radius", "uniform"))
    return [
        "",
        f"def {density}({radius}):",
        f"    value = log_radial({least} + {radius}**2, {arguments})",
        f"    return value + ({noise}.size - 1) * jnp.log({radius})",
        "",
        f"{uniform} = jax.random.uniform({key}, (), {noise}.dtype)",
        f"{radius} = special.inverse_cdf({uniform}, {density}, 0.0, jnp.inf, {noise}.size**0.5)",
    ], f"{radius} / jnp.linalg.norm({noise})"


def _profile(d, found) -> str:
    """`def log_radial(square, x, /, *, ...)`: G, up to terms that are free of its argument."""
    writer = clean_writer(d)
    writer.names[found.variable] = square = writer.lines.name("square")
    fragment = writer.lowering.fragment(found.profile.as_independent(found.variable, as_Add=True)[1], ())
    lines = writer.lines.prepare([fragment])
    result = lines.text(fragment)
    return writer.function("log_radial", [*lines.out, f"return {result}"], "The log density at its form.", square)
