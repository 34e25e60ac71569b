"""The module of a coupled kernel: functions of one event, and the same over leading batch axes.

codegen/arrays.py writes each function for one event; those become private here, and the public ones map them over
whatever leading axes y, x and the parameters have in common. An array without a batch axis is not copied.

A kernel that is neither Gaussian nor elliptical has no exact sampler. Its module has `sample_by(chain, key, x, ..)`,
where `chain(key, log_density, start)` is a Markov chain sampler; a Program is given NumPyro's
(inference/coupled_draws.py), and a written module, which needs JAX only, leaves the choice to its user.
"""

import re
from functools import singledispatch

import sympy as sp

from symdsm.codegen import arrays
from symdsm.codegen.docstring import assumptions, density_of, formula, module_docstring, slope_of
from symdsm.codegen.elliptical_draws import emit_elliptical, emit_form
from symdsm.codegen.guards import condition_lines, guard_lines
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.shared_checks import share_checks
from symdsm.codegen.source import module_text
from symdsm.codegen.source_bounded import bounded_functions
from symdsm.symbolic.array_declaration import ArrayDeclaration
from symdsm.symbolic.conditions import conditions
from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.coupled_manifold import ManifoldDeclaration
from symdsm.symbolic.derive import score
from symdsm.symbolic.indexed_gaussian import is_quadratic
from symdsm.symbolic.indexed_normaliser import elliptical
from symdsm.symbolic.nodes import plain

__all__ = ["coupled_source"]

_OVER_EVENTS = '''def _over_events(function, arrays, axes, key=None):
    """function of one event, mapped over the leading axes of its arrays; `axes` counts the axes of an event."""
    shapes = [jnp.shape(a) for a in arrays]
    batch = jnp.broadcast_shapes(*(s[: len(s) - k] for s, k in zip(shapes, axes, strict=True)))
    keys = [] if key is None else [jax.random.split(key, batch) if batch else key]
    mapped = [*([0] * len(keys)), *(0 if len(s) > k else None for s, k in zip(shapes, axes, strict=True))]
    count = math.prod(batch)

    def flat(a, s, k):
        event = s[len(s) - k :]
        return jnp.broadcast_to(a, batch + event).reshape((count, *event)) if len(s) > k else a

    if not batch:
        return function(*keys, *arrays)
    columns = [*(k.reshape(count) for k in keys), *(flat(*row) for row in zip(arrays, shapes, axes, strict=True))]
    out = jax.vmap(function, in_axes=mapped)(*columns)
    return jax.tree.map(lambda a: a.reshape(batch + a.shape[1:]), out)'''

_NO_SAMPLER = """There is no `sample` here: the kernel is neither Gaussian nor elliptical, and this module needs JAX
only. Bring a Markov chain sampler: `sample_by(chain, key, x, ...)` calls chain(key, log_density, start) for each event,
where start is an array of the event's shape. In symdsm kernel.compile().sample draws with NumPyro's NUTS."""

_DOCS = {
    "log_prob": "log p({y} | {x}), one number for each event; leading axes are a batch.",
    "score": "d/d{y} log p({y} | {x}), of {y}'s shape.",
    "level_score": "d/d{level} log p({y} | {x}), one number for each event.",
    "sample": "One exact draw of {y} for each event of {x}.",
    "sample_by": "What chain(key, log_density, start) draws, a Markov chain sampler, for each event of {x}.",
    "fisher": "E of the squared score, summed over the event.",
    "level_fisher": "E of the squared level score.",
}


def coupled_source(declaration: ArrayDeclaration, digest: str) -> str:
    """log_prob and score always; the others of a Program where they are known.

    On the whole space, without `sample` there is `sample_by`, when the other arrays tell the shape of y.
    """
    private, texts = _of_event(declaration)
    d, level = declaration.density, declaration.level
    core = {name: axes.strip("()").count(",") + (axes != "()") for name, axes in arrays.signature(d).items()}
    y, x, *params = core
    guards = {arrays.name_of(s): s for s in (declaration.clean, *declaration.params)}
    constants = [text for text in private if "\n" not in text]
    functions = [*constants, _OVER_EVENTS, *(_named(text) for text in private if text not in constants)]
    for name, text in texts.items():
        functions.append(_named(text))
        doc = _DOCS[name].format(y=y, x=x, level=level)
        functions.append(
            _public(name, core, doc, guards, conditions(declaration), _unfactored(declaration, name, text))
        )
    if "sample" in texts:
        given = "".join(f", {p}={p}" for p in params)
        functions.append(_target("target", f"y, score(y, x{given})", given, params))
        if "level_score" in texts:
            value = f"y, score(y, x{given}), level_score(y, x{given})"
            functions.append(_target("dual_target", value, given, params))
    functions = share_checks(functions)
    text = module_text(_docstring(declaration, digest, [_NO_SAMPLER] * ("sample_by" in texts)), functions)
    return text.replace("import jax\n", "import math\n\nimport jax\n", 1)


def _docstring(declaration: ArrayDeclaration, digest: str, more: list[str]) -> str:
    y, x = declaration.noisy, declaration.clean
    density, slope = density_of(y, x), plain(score(declaration))
    known = declaration.log_density.free_symbols
    places = sorted((s for s in slope.free_symbols if s.is_Symbol and s not in known), key=str)
    place = y[tuple(places)] if places else y
    formulas = [formula(density, plain(declaration.log_density)), formula(slope_of(place, density), slope)]
    arrays_in = [p for p in declaration.params if isinstance(p, sp.IndexedBase)]
    scalars = [p for p in declaration.params if p not in arrays_in]
    given = ", ".join([f"{p} an array" for p in arrays_in] + [assumptions(scalars)] * bool(scalars))
    notes = [
        f"{y} and {x} are arrays of one event, which may have leading batch axes"
        + f"; parameters: {given}. A value that breaks its assumption gives NaN." * bool(given)
    ]
    if declaration.support != sp.S.Reals:
        notes.append(f"support of {y}: {declaration.support}")
    return module_docstring(f"Coupled noise kernel p({y} | {x}) and its score", digest, formulas, notes + more)


@singledispatch
def _of_event(declaration: ManifoldDeclaration) -> tuple[list[str], dict[str, str]]:
    """Private functions and constants, and the public functions of one event by name."""
    return bounded_functions(declaration, declaration.support)


@_of_event.register
def _(declaration: CoupledDeclaration):
    if not declaration.is_whole:
        return bounded_functions(declaration, declaration.entries)
    d = declaration.density
    texts = {"log_prob": arrays.emit_log_prob(d), "score": arrays.emit_score(d)}
    if declaration.level_is_known:
        texts["level_score"] = arrays.emit_level_slope(d, declaration.level, declaration.level_slope)
    private: list[str] = []
    gaussian = is_quadratic(d)
    round_law = None if gaussian else elliptical(d)
    if arrays.tells_size(d):
        if gaussian:
            texts["sample"], texts["fisher"] = arrays.emit_sample(d), arrays.emit_fisher(d)
        elif round_law is not None:
            *more, texts["sample"] = emit_elliptical(d, round_law)
            private = [emit_form(d, round_law), *more]
        else:
            texts["sample_by"] = arrays.emit_sample_by(d)
    if declaration.level_is_known and "fisher" in texts:
        texts["level_fisher"] = arrays.emit_level_fisher(d, declaration.level)
    return private, texts


def _named(text: str) -> str:
    """Functions of one event are private."""
    names = (
        "log_prob|score|level_score|sample|sample_by|fisher|level_fisher|density|gradient|level_slope"
        "|squared_radius|log_radial"
    )
    return re.sub(rf"\b({names})\(", r"_\1_of_event(", text).strip()


def _typed(params) -> str:
    return f", *, {', '.join(f'{p}: jax.Array | float' for p in params)}" if params else ""


def _unfactored(declaration: ArrayDeclaration, name: str, text: str) -> list[str]:
    """The matrices that must be positive definite, and of which the function takes no Cholesky factor."""
    matrices = [arrays.name_of(m) for m in getattr(declaration.density, "positive_definite", ())]
    if name == "sample_by" or (name == "sample" and len(matrices) == 1):
        return []
    return [m for m in matrices if f"cholesky({m})" not in text]


def _public(name: str, core: dict[str, int], doc: str, symbols: dict[str, sp.Basic], limits, matrices) -> str:
    y, x, *params = core
    draws = name in ("sample", "sample_by")
    positional = {"sample": ["key", x], "sample_by": ["key", x], "fisher": [x], "level_fisher": [x]}.get(name, [y, x])
    mapped = [a for a in positional if a != "key"] + params
    arrays_text = ", ".join(mapped) + "," * (len(mapped) == 1)
    axes = ", ".join(str(core[a]) for a in mapped) + "," * (len(mapped) == 1)
    head = ", ".join(f"{a}: jax.Array" for a in positional)
    key = ", key" if draws else ""
    chain = ["chain"] if name == "sample_by" else []
    arguments = ["key", *mapped] if draws else mapped
    guarded, names = [symbols[a] for a in mapped if a in symbols], {s: a for a, s in symbols.items()}
    guards = guard_lines(guarded, names)
    guards += condition_lines(limits, guarded, (symbols.get(x),), JaxPrinter(names).doprint)
    call = ", ".join(chain + [a for a in arguments if a not in params] + [f"{p}={p}" for p in params])
    head = ", ".join([*chain, head])
    value = f"_{name}_of_event({call})"
    for matrix in matrices:
        value = f"_where_definite({matrix}, {value})"
    return (
        f'def {name}({head}, /{_typed(params)}) -> jax.Array:\n    """{doc}"""\n'
        f"{''.join(f'    {line}\n' for line in guards)}\n"
        f"    def of_event({', '.join(arguments)}):\n        return {value}\n\n"
        f"    return _over_events(of_event, ({arrays_text}), ({axes}){key})"
    )


def _target(name: str, value: str, given: str, params) -> str:
    return (
        f"def {name}(key: jax.Array, x: jax.Array, /{_typed(params)}) -> tuple:\n"
        f'    """A noisy event and its scores."""\n    y = sample(key, x{given})\n    return {value}'
    )
