"""The module of a vector Gaussian kernel: the state on the last axis, a Cholesky factor of its covariance.

Everything but the entries of the mean, the covariance and their slopes in the level is the same text for every such
kernel, so it is a template. The covariance is NaN wherever a parameter is, and with it all that follows.
"""

import re
from string import Template

import sympy as sp

from symdsm.codegen.docstring import assumptions, module_docstring
from symdsm.codegen.guards import Guards, guard_functions
from symdsm.codegen.naming import compact, statements
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.conditions import conditions
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["vector_source"]

_MODULE = '''$docstring

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve, solve_triangular


def mean($x_in) -> jax.Array:
    """E[y | x], the components on the last axis."""
$mean
    return _stack(entries, $x_shape)


def mean_slope($x_in) -> jax.Array:
    """dE[y | x]/d$level."""
$mean_slope
    return _stack(entries, $x_shape)


def covariance($params_in) -> jax.Array:
    """Cov[y | x]."""
$covariance
    return _stack(entries, ()).reshape(_shape() + ($n, $n))


def covariance_slope($params_in) -> jax.Array:
    """dCov[y | x]/d$level."""
$covariance_slope
    return _stack(entries, ()).reshape(_shape() + ($n, $n))


def _shape(*arrays):
    return jnp.broadcast_shapes(*(jnp.shape(a) for a in arrays))


def _stack(entries, shape):
    shape = jnp.broadcast_shapes(shape, _shape(*entries))
    dtype = jnp.result_type(*entries, 0.0)
    return jnp.stack([jnp.broadcast_to(jnp.asarray(e, dtype), shape) for e in entries], axis=-1)


def _whitened(y, x, $params):
    """The Cholesky factor of the covariance and the residual, with equal batch shapes."""
    factor = jnp.linalg.cholesky(covariance($given))
    residual = y - mean(x, $given)
    shape = jnp.broadcast_shapes(residual.shape[:-1], factor.shape[:-2])
    return jnp.broadcast_to(factor, shape + ($n, $n)), jnp.broadcast_to(residual, shape + ($n,))


def log_prob($yx_in) -> jax.Array:
    """log p(y | x), summed over the last axis."""
    factor, residual = _whitened(y, x, $given)
    u = solve_triangular(factor, residual[..., None], lower=True)[..., 0]
    log_det = jnp.log(jnp.diagonal(factor, axis1=-2, axis2=-1)).sum(-1)
    return -0.5 * (u * u).sum(-1) - log_det - $log_constant


def score($yx_in) -> jax.Array:
    """d/dy log p(y | x)."""
    factor, residual = _whitened(y, x, $given)
    return -cho_solve((factor, True), residual[..., None])[..., 0]


def level_score($yx_in) -> jax.Array:
    """d/d$level log p(y | x)."""
    factor, residual = _whitened(y, x, $given)
    a = cho_solve((factor, True), residual[..., None])[..., 0]
    slope = jnp.broadcast_to(covariance_slope($given), factor.shape)
    trace = jnp.trace(cho_solve((factor, True), slope), axis1=-2, axis2=-1)
    drifted = (a * mean_slope(x, $given)).sum(-1)
    return drifted + 0.5 * (jnp.einsum("...i,...ij,...j->...", a, slope, a) - trace)


def sample($key_in) -> jax.Array:
    """One draw y ~ p(y | x); the components on the last axis."""
    return target(key, x, $given)[0]


def target($key_in) -> tuple[jax.Array, jax.Array]:
    """A noisy value m + L e and its score -L^-T e, computed from the noise e itself."""
    factor, minus_mean = _whitened(0.0, x, $given)
    noise = jax.random.normal(key, minus_mean.shape, minus_mean.dtype)
    pull = solve_triangular(factor, noise[..., None], lower=True, trans=1)[..., 0]
    return jnp.einsum("...ij,...j->...i", factor, noise) - minus_mean, -pull


def dual_target($key_in) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A noisy value, its score and d/d$level log p(y | x)."""
    y, pull = target(key, x, $given)
    return y, pull, level_score(y, x, $given)


def fisher($x_in) -> jax.Array:
    """Trace of the Fisher information, tr S^-1."""
    factor, _ = _whitened(0.0, x, $given)
    inverse = cho_solve((factor, True), jnp.broadcast_to(jnp.eye($n, dtype=factor.dtype), factor.shape))
    return jnp.trace(inverse, axis1=-2, axis2=-1)


def level_fisher($x_in) -> jax.Array:
    """Fisher information in $level, m_t' S^-1 m_t + tr(S^-1 S_t S^-1 S_t)/2."""
    factor, _ = _whitened(0.0, x, $given)
    moved = jnp.broadcast_to(mean_slope(x, $given), factor.shape[:-1])
    pulled = solve_triangular(factor, moved[..., None], lower=True)
    turned = cho_solve((factor, True), jnp.broadcast_to(covariance_slope($given), factor.shape))
    return (pulled**2).sum((-2, -1)) + 0.5 * jnp.einsum("...ij,...ji->...", turned, turned)
'''

_LOCAL = (
    *("mean", "mean_slope", "covariance", "covariance_slope"),
    *("a", "drifted", "factor", "inverse", "log_det", "minus_mean", "moved", "noise", "pull", "pulled", "residual"),
    *("shape", "slope", "trace", "turned", "u"),
)


def _module_for(names: list[str]) -> Template:
    """The template, in which a name of its own that is a parameter's as well has a mark behind it."""
    text = _MODULE
    for name in set(names) & set(_LOCAL):
        text = re.sub(rf"(?<![.$\w]){name}\b", f"{name}_", text)
    return Template(text)


def vector_source(declaration: VectorDeclaration, digest: str) -> str:
    """log_prob, score, level_score, sample, target, dual_target, fisher, level_fisher for y of shape (.., n)."""
    t, level = declaration.transition, declaration.level
    names, n = [p.name for p in declaration.params], len(declaration.noisy_symbols)
    one = len(t.clean) == 1
    printer = JaxPrinter({c: "x" if one else f"x[..., {k}]" for k, c in enumerate(t.clean)})
    typed = ", ".join(f"{p}: jax.Array | float" for p in names)

    guards = Guards(declaration, {p: p.name for p in declaration.params}, printer.doprint)

    def entries(matrix, checked=False):
        exprs = [compact(stabilise(e)) for e in matrix]
        lines, texts = statements(exprs, printer.doprint, *(sp.Dummy(), sp.Dummy()))
        used = guards.names if checked else set().union(*(e.free_symbols for e in exprs))
        if checked:
            texts = [guards.checked(text, expr) for text, expr in zip(texts, exprs, strict=True)]
        lines = [
            *guards.lines([p for p in declaration.params if p in used]),
            *lines,
            f"entries = ({', '.join(texts)},)",
        ]
        return "\n".join(f"    {line}" for line in lines)

    body = _module_for(names).substitute(
        docstring=_docstring(declaration, digest),
        n=n,
        log_constant=printer.doprint(sp.Rational(n, 2) * sp.log(2 * sp.pi)),
        level=level.name,
        x_in=f"x: jax.Array, /, *, {typed}",
        yx_in=f"y: jax.Array, x: jax.Array, /, *, {typed}",
        key_in=f"key: jax.Array, x: jax.Array, /, *, {typed}",
        params_in=f"*, {typed}",
        params=f"*, {', '.join(names)}",
        given=", ".join(f"{p}={p}" for p in names),
        x_shape="jnp.shape(x)" if one else "jnp.shape(x)[:-1]",
        mean=entries(t.mean),
        mean_slope=entries(t.mean.diff(level)),
        covariance=entries(t.covariance, checked=True),
        covariance_slope=entries(t.covariance.diff(level)),
    )
    shape = f"_shape({', '.join(names)})"
    body = body.replace("_shape()", shape)
    needs_helper = "special." in body
    imports = "\nfrom symdsm.codegen import special\n" if needs_helper else ""
    guards = "".join(f"{text}\n\n\n" for text in guard_functions(body))
    return body.replace("solve_triangular\n\n\ndef mean", f"solve_triangular\n{imports}\n\n{guards}def mean", 1)


def _docstring(declaration: VectorDeclaration, digest: str) -> str:
    t = declaration.transition
    given = assumptions([*t.clean, *declaration.params], conditions(declaration))
    mean, covariance = (sp.Matrix(m).applyfunc(plain) for m in (t.mean, t.covariance))
    formulas = [
        (("E[y | x]", r"\mathbb{E}[y \mid x]"), (str(list(mean)), sp.latex(mean))),
        (("Cov[y | x]", r"\operatorname{Cov}[y \mid x]"), (str(covariance.tolist()), sp.latex(covariance))),
        (
            ("log p(y | x)", r"\log p(y \mid x)"),
            (
                "-((y - E)' Cov^-1 (y - E) + log det(2 pi Cov))/2",
                r"-\frac{1}{2} \left((y - E)^T \operatorname{Cov}^{-1} (y - E)"
                r" + \log\det(2 \pi \operatorname{Cov})\right)",
            ),
        ),
        (
            ("d/dy log p(y | x)", r"\frac{\partial}{\partial y} \log p(y \mid x)"),
            ("-Cov^-1 (y - E)", r"-\operatorname{Cov}^{-1} (y - E)"),
        ),
    ]
    note = f"It holds for every y, with {given}. Values that break these assumptions give NaN."
    return module_docstring("Transition kernel p(y | x) of a linear SDE and its score", digest, formulas, [note])
