"""The generalised Tweedie formula (symbolic/tweedie.py) as JAX code: a module of its own, two functions.

    posterior_mean(y, score, /, **params)   E[T(x) | y], the statistic's posterior mean
    denoise(y, score, /, **params)          T^-1 of it: the clean value, of y's shape

with score = d/dy log q(y) of the noisy data. They are one function where T(x) = x, and where T is not one to one: then
both give E[T(x) | y], such as E[A x | y] for a linear operator. NaN outside the support.

Coupled Gaussians need the covariance times the score. The precision H is linear algebra on the score of the centred
density, -H y, which is emitted as for log_prob: divided by for a diagonal H, else by Cholesky's factor of the matrix,
and a covariance that is a parameter is multiplied with.
"""

import re

import sympy as sp

from symdsm.codegen.arrays import emit_score, signature
from symdsm.codegen.arrays_function import name_of
from symdsm.codegen.guards import Guards, nan_with
from symdsm.codegen.naming import shared
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.source import module_text
from symdsm.codegen.source_joint import joint_denoiser
from symdsm.codegen.stabilise import stabilise
from symdsm.errors import DerivationError
from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.coupled_manifold import ManifoldDeclaration
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.indexed import declare
from symdsm.symbolic.indexed_gaussian import centre
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.product import ProductDeclaration
from symdsm.symbolic.tweedie import Tweedie, tweedie
from symdsm.symbolic.tweedie_arrays import is_diagonal, matrix_factor, vector_parts
from symdsm.symbolic.tweedie_manifolds import concentrations
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["denoise_source"]


def denoise_source(declaration) -> str:
    """The module with posterior_mean and denoise. Raises DerivationError where there is none; it says what is known."""
    blocks = {name: tweedie(block) for name, block in getattr(declaration, "blocks", (("", declaration),))}
    missing = [f"{name}: {f.reason}" if name else f.reason for name, f in blocks.items() if not f.denoises]
    if missing:
        raise DerivationError(
            given=f"a kernel without a denoiser: {'; '.join(missing)}",
            expected="a kernel whose marginal score gives a posterior mean (see kernel.denoiser())",
            fix="draw from the posterior with sd.sample, or use the combination that is identified",
        )
    rule = _RULES[type(declaration)]
    return _module(rule(declaration, blocks if rule is _product else blocks[""]))


def _module(functions: list[str]) -> str:
    return module_text('"""Posterior means from the marginal score (generalised Tweedie formula)."""', functions)


def _written(name: str, params, doc: str, lines: list[str], value: str, kind: str = "jax.Array") -> str:
    typed = f", *, {', '.join(f'{p}: jax.Array | float' for p in params)}" if params else ""
    body = "".join(f"    {line}\n" if line else "\n" for line in lines)
    return f'def {name}(y: {kind}, score: {kind}, /{typed}) -> {kind}:\n    """{doc}"""\n{body}    return {value}'


def _given(params) -> str:
    return "".join(f", {p}={p}" for p in params)


def _same(params, doc: str, suffix: str = "") -> str:
    """denoise, where it is the posterior mean."""
    return _written(f"denoise{suffix}", params, doc, [], f"posterior_mean{suffix}(y, score{_given(params)})")


def _guards(declaration, printer: JaxPrinter) -> Guards:
    """The guards of the scalar parameters."""
    return Guards(declaration, {p: name_of(p) for p in declaration.params if p.is_Symbol}, printer.doprint)


def _scalar(declaration: Declaration, found: Tweedie, suffix: str = "") -> list[str]:
    params, y = [p.name for p in declaration.params], declaration.noisy
    printer = JaxPrinter({y: "y", sp.Symbol(y.name, real=True): "y", found.score: "score"})
    guards = _guards(declaration, printer)
    inside = declaration.inside
    guarded = inside is not sp.true and declaration.clean not in inside.free_symbols

    def written(name, expr, doc):
        named, (value,) = shared([stabilise(expr)], y, declaration.clean)
        lines = guards.lines() + [f"{s.name} = {printer.doprint(e)}" for s, e in named]
        value = guards.checked(printer.doprint(value), expr)
        if guarded:
            value = f"jnp.where({printer.doprint(inside)}, {value}, jnp.nan)"
        return _written(f"{name}{suffix}", params, doc, lines, value)

    mean = written("posterior_mean", found.mean, f"E[{found.statistic} | y] from score = d/dy log q(y).")
    if found.estimate is None or found.estimate == found.mean:
        doc = f"E[{found.statistic} | y]."
        return [
            mean,
            _written(f"denoise{suffix}", params, doc, [], f"posterior_mean{suffix}(y, score{_given(params)})"),
        ]
    doc = f"The {declaration.clean} at which {found.statistic} is its posterior mean."
    return [mean, written("denoise", found.estimate, doc)]


def _product(declaration: ProductDeclaration, found: dict[str, Tweedie]) -> list[str]:
    functions = []
    for name, block in declaration.blocks:
        functions += _scalar(block, found[name], f"_{name}")
    params = [p.name for p in declaration.params]
    for function, doc in (
        ("posterior_mean", "E[T(x) | y] of each block."),
        ("denoise", "The clean value of each block."),
    ):
        each = [f'"{n}": {function}_{n}(y["{n}"], score["{n}"]{_given([p.name for p in block.params])})'
                for n, block in declaration.blocks]  # fmt: skip
        functions.append(_written(function, params, doc, [], f"{{{', '.join(each)}}}", "dict"))
    return functions


_STACK = '''def _stack(entries, shape):
    """Entries of a matrix or a vector on the last axes, over one batch shape."""
    batch = jnp.broadcast_shapes(*(jnp.shape(e) for e in entries))
    columns = [jnp.broadcast_to(jnp.asarray(e, jnp.result_type(e, 0.0)), batch) for e in entries]
    return jnp.stack(columns, axis=-1).reshape(batch + shape)'''


def _vector(declaration: VectorDeclaration, found: Tweedie) -> list[str]:
    """x = (F' S^-1 F)^-1 F' (S^-1 (y - c) + score), by a Cholesky factor of S."""
    (F, c), S = vector_parts(declaration), declaration.transition.covariance
    n, k = F.shape
    printer = JaxPrinter({})

    def entries(matrix, shape):
        return f"_stack(({', '.join(printer.doprint(stabilise(e)) for e in matrix)},), {shape})"

    lines = [
        f"factor = jnp.linalg.cholesky({entries(S, (n, n))})",
        f"slope, offset = {entries(F, (n, k))}, {entries(c, (n,))}",
        "batch = jnp.broadcast_shapes(jnp.shape(y)[:-1], jnp.shape(score)[:-1], factor.shape[:-2], slope.shape[:-2])",
        f"factor, slope = jnp.broadcast_to(factor, batch + ({n}, {n})), jnp.broadcast_to(slope, batch + ({n}, {k}))",
        f"residual = jnp.broadcast_to(y - offset, batch + ({n},))[..., None]",
        "pull = jax.scipy.linalg.cho_solve((factor, True), residual)[..., 0] + score",
        "weight = jax.scipy.linalg.cho_solve((factor, True), slope)",
        'normal = jnp.einsum("...ia,...ib->...ab", slope, weight)',
        'x = jnp.linalg.solve(normal, jnp.einsum("...ia,...i->...a", slope, pull)[..., None])[..., 0]',
    ]
    params = [p.name for p in declaration.params]
    lines = _guards(declaration, printer).lines() + lines
    doc = f"E[{', '.join(map(str, declaration.transition.clean))} | y] from score = d/dy log q(y)."
    mean = _written("posterior_mean", params, doc, lines, "x[..., 0]" if k == 1 else "x")
    return [_STACK, mean, _same(params, doc)]


def _coupled(declaration: CoupledDeclaration, found: Tweedie) -> list[str]:
    own, smoothed = _smoothed_lines(declaration.density)
    return [*own, *_over_events(declaration, found, smoothed)]


def _dirichlet(declaration: ManifoldDeclaration, found: Tweedie) -> list[str]:
    s, r = concentrations(declaration)
    printer = JaxPrinter({p: name_of(p) for p in declaration.params if p.is_Symbol})
    lines = [
        f"s, r = {printer.doprint(s)}, {printer.doprint(r)}",
        "c = s + y.size * r - y.size - jnp.sum(y * score)",
        "return (1 - r + y * (score + c)) / s",
    ]
    return _over_events(declaration, found, lines)


def _over_events(declaration, found: Tweedie, body: list[str]) -> list[str]:
    """The two functions, from the body of a function of one event."""
    d = declaration.density
    params = [name_of(p) for p in declaration.params]
    core = signature(d)
    guards = _guards(declaration, JaxPrinter({p: name_of(p) for p in declaration.params if p.is_Symbol}))
    used = [p for p in params if re.search(rf"\b{p}\b", "\n".join(body))]
    deaf = [guards.names[s] for s in guards.limited if guards.names[s] not in used]
    *lines, value = body
    body, used = [*lines, f"return {nan_with(deaf, value.removeprefix('return '))}"], [*used, *deaf]
    event = core[name_of(d.noisy)]
    words = ",".join([event, event, *(core[p] for p in used)]) + f"->{event}"
    names = ", ".join(["y", "score", *used])
    lines = [*guards.lines(), "", f"def of_event({names}):", *(f"    {line}" for line in body), ""]
    doc = f"E[{found.statistic} | y] from score = d/dy log q(y)."
    mean = _written("posterior_mean", params, doc, lines, f'jnp.vectorize(of_event, signature="{words}")({names})')
    return [mean, _same(params, doc)]


def _smoothed_lines(d) -> tuple[list[str], list[str]]:
    """Helper functions, and the lines of a function of one event that returns y + S score."""
    factor = matrix_factor(d)
    if factor is not None:
        matrix, scale, is_covariance = factor
        factor = JaxPrinter({s: name_of(s) for s in d.scalar_params}).doprint(1 / scale)
        name = name_of(matrix)
        product = (
            f"_where_definite({name}, {name} @ score)"
            if is_covariance
            else f'jax.scipy.linalg.solve({name}, score, assume_a="pos")'
        )
        return [], [f"return y + {factor} * ({product})"]
    _, centred = centre(d)
    nothing = sp.Symbol("nothing", real=True)
    density = declare(centred, d.noisy, nothing)
    pull = re.sub(r"\bdef score\(", "def _pull(", emit_score(density)).strip()
    scalars = [name_of(p) for p in (*density.array_params, *density.scalar_params)]
    call = f"_pull({{0}}, 0.0{_given(sorted(scalars))})"
    if is_diagonal(d):
        return [pull], [f"return y - score / {call.format('jnp.ones_like(y)')}"]
    lines = [
        f"precision = -jax.jacfwd(lambda value: {call.format('value')})(jnp.zeros_like(y)).reshape(y.size, y.size)",
        "factor = jnp.linalg.cholesky(precision)",
        "return y + jax.scipy.linalg.cho_solve((factor, True), score.reshape(-1)).reshape(y.shape)",
    ]
    return [pull], lines


_RULES = {
    Declaration: _scalar,
    ProductDeclaration: _product,
    VectorDeclaration: _vector,
    JointDeclaration: joint_denoiser,
    CoupledDeclaration: _coupled,
    ManifoldDeclaration: _dirichlet,
}
