"""The diffusion of a kernel and its bridge (symbolic/process.py) as JAX code, each a module of its own.

    drift(y), diffusion(y), flow(y, score), reverse(y, score)       one module
    bridge(y, x, before) -> (mean, sd)                              another

all with the kernel's parameters by name, the level among them, elementwise. For a vector SDE the components are on the
last axis, diffusion returns the matrix g, and its square is applied as g (g' score).
"""

from collections.abc import Mapping
from types import MappingProxyType

import sympy as sp

from symdsm.codegen.guards import Guards
from symdsm.codegen.layout import formatted
from symdsm.codegen.naming import compact, statements
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.source import module_text
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.process import Process, bridge, process

__all__ = ["bridge_source", "process_source"]

_SCORE = sp.Symbol("score", real=True)
_TITLE = '"""The diffusion dy = f dlevel + g dw of a noise kernel, its flow and its reverse."""'
_DOCS = {
    "drift": "f.",
    "diffusion": "g.",
    "flow": "f - (g^2)'/2 - g^2 score/2: dy/dlevel of the probability flow.",
    "reverse": "f - (g^2)' - g^2 score: the drift of the reverse diffusion.",
}


def process_source(declaration) -> str:
    """The module with drift, diffusion, flow and reverse; raises DerivationError where the kernel has no diffusion."""
    found = process(declaration)
    if isinstance(found.rate, sp.MatrixBase):
        return formatted(module_text(_TITLE, _vector(declaration, found)))
    exprs = {
        "drift": found.drift,
        "diffusion": found.diffusion,
        "flow": found.drift - found.spread / 2 - found.rate * _SCORE / 2,
        "reverse": found.drift - found.spread - found.rate * _SCORE,
    }
    return formatted(module_text(_TITLE, [_scalar(declaration, name, expr) for name, expr in exprs.items()]))


def bridge_source(declaration) -> str:
    """The module with bridge; raises DerivationError where p(z | y, x) is not normal."""
    found = bridge(declaration)
    y, x = declaration.noisy, declaration.clean
    exprs = [compact(stabilise(found.mean)), compact(stabilise(sp.sqrt(found.variance)))]
    printer = JaxPrinter({y: "y", sp.Symbol(y.name, real=True): "y", x: "x", found.before: "before"})
    lines, values = statements(exprs, printer.doprint, y, x)
    guards = _guards(declaration, printer, {x: "x", found.before: "before"})
    mean, sd = (guards.checked(value, expr) for value, expr in zip(values, exprs, strict=True))
    signature = f"def bridge(y: jax.Array, x: jax.Array, before: jax.Array | float, /{_typed(declaration)})"
    body = [*guards.lines(), *lines, f"return {mean}, {sd}"]
    text = "\n".join(f"    {line}" for line in body)
    doc = '    """Mean and sd of the noisy value at the level `before`, given the noisy value y and the clean x."""'
    function = f"{signature} -> tuple[jax.Array, jax.Array]:\n{doc}\n{text}"
    return formatted(module_text('"""The bridge p(y_before | y, x) of a normal noise kernel."""', [function]))


def _typed(declaration) -> str:
    return "".join([", *", *(f", {p.name}: jax.Array | float" for p in declaration.params)])


def _guards(declaration, printer: JaxPrinter, more: Mapping = MappingProxyType({})) -> Guards:
    """The guards of the parameters, and of more symbols by name."""
    return Guards(declaration, {**more, **{p: p.name for p in declaration.params}}, printer.doprint)


def _scalar(declaration, name: str, expr: sp.Expr) -> str:
    y, inside = declaration.noisy, declaration.inside
    printer = JaxPrinter({y: "y", sp.Symbol(y.name, real=True): "y", _SCORE: "score"})
    guards = _guards(declaration, printer)
    lines, (value,) = statements([compact(stabilise(expr))], printer.doprint, y, declaration.clean)
    value = guards.checked(value, expr)
    if inside is not sp.true and declaration.clean not in inside.free_symbols:
        value = f"jnp.where({printer.doprint(inside)}, {value}, jnp.nan)"
    elif expr.is_number:
        value = f"jnp.full(shape, {value}, jnp.result_type(y, 0.0))"
    else:
        value = f"jnp.broadcast_to({value}, shape)"
    scored = ["score"] if name in ("flow", "reverse") else []
    shapes = ", ".join(f"jnp.shape({n})" for n in ["y", *scored, *(p.name for p in declaration.params)])
    body = [*guards.lines(), *lines, f"return {value}"]
    if "shape" in value:
        body.insert(0, f"shape = jnp.broadcast_shapes({shapes})")
    return _written(declaration, name, body)


def _written(declaration, name: str, body: list[str]) -> str:
    arguments = "y: jax.Array" + ", score: jax.Array" * (name in ("flow", "reverse"))
    lines = "\n".join(f"    {line}" for line in body)
    return f'def {name}({arguments}, /{_typed(declaration)}) -> jax.Array:\n    """{_DOCS[name]}"""\n{lines}'


_STACK = '''def _stack(entries, batch, shape):
    """Entries of a vector or a matrix on the last axes, over one batch shape."""
    batch = jnp.broadcast_shapes(batch, *(jnp.shape(e) for e in entries))
    columns = [jnp.broadcast_to(jnp.asarray(e, jnp.result_type(e, 0.0)), batch) for e in entries]
    return jnp.stack(columns, axis=-1).reshape(batch + shape)'''


def _vector(declaration, found: Process) -> list[str]:
    n, m = found.diffusion.shape
    printer = JaxPrinter({s: f"y[..., {k}]" for k, s in enumerate(declaration.noisy_symbols)})
    given = "".join(f", {p.name}={p.name}" for p in declaration.params)
    local = "g" if "g" not in {p.name for p in declaration.params} else "g_"

    def stacked(name, matrix, batch, shape):
        guards = _guards(declaration, printer)
        lines, texts = statements([stabilise(e) for e in matrix], printer.doprint, *(sp.Dummy(), sp.Dummy()))
        texts = [guards.checked(text, entry) for text, entry in zip(texts, matrix, strict=True)]
        value = f"_stack(({', '.join(texts)},), {batch}, {shape})"
        return _written(declaration, name, [*guards.lines(), *lines, f"return {value}"])

    def pushed(name, factor):
        body = [
            f"{local} = diffusion(y{given})",
            f'return drift(y{given}) - {factor}jnp.einsum("...ij,...kj,...k->...i", {local}, {local}, score)',
        ]
        return _written(declaration, name, body)

    return [
        _STACK,
        stacked("drift", found.drift, "jnp.shape(y)[:-1]", f"({n},)"),
        stacked("diffusion", found.diffusion, "jnp.shape(y)[:-1]", f"({n}, {m})"),
        pushed("flow", "0.5 * "),
        pushed("reverse", ""),
    ]
