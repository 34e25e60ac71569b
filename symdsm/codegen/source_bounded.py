"""The module of a kernel of arrays that do not fill their space: positive or bounded entries, the simplex, the sphere.

The formula is evaluated at a point inside the support wherever y is outside, and the result chosen by `where`, so that
neither a value nor a gradient sees a NaN: log_prob is -inf there and the scores are NaN. On a manifold the score is the
projected gradient, which is also what automatic differentiation of log_prob in y gives, and y counts as on the manifold
within the tolerance of symbolic/manifolds.py.
"""

from functools import singledispatch

import sympy as sp

from symdsm.codegen import arrays
from symdsm.codegen.arrays_function import Writer
from symdsm.codegen.manifold_draws import LAWS, emit_from_gradient, helpers
from symdsm.errors import CodegenError
from symdsm.symbolic.array_declaration import ArrayDeclaration
from symdsm.symbolic.manifolds import Manifold, Simplex, Sphere

__all__ = ["bounded_functions"]

_TOLERANCE = """    if y.ndim != 1 or y.size < 2:
        raise ValueError(f"an event on the {name} needs one axis of at least two entries, got shape {{y.shape}}")
    tolerance = jnp.maximum(1e-6, 10 * jnp.finfo(y.dtype).eps * y.size**0.5)"""

_ON_SIMPLEX = f'''def _is_inside(y):
    """Are all entries positive, with a sum of one within the tolerance?"""
{_TOLERANCE.format(name="simplex")}
    return jnp.all(y > 0) & (jnp.abs(jnp.sum(y) - 1) <= tolerance)'''

_ON_SPHERE = f'''def _is_inside(y):
    """Is the norm one within the tolerance?"""
{_TOLERANCE.format(name="sphere")}
    return jnp.abs(jnp.linalg.norm(y) - 1) <= tolerance'''


_ALONG = {
    "simplex": '''def _along(y):
    """y itself; derivatives in it are projected on the tangent space."""
    mean = jnp.mean(y)
    return y + (jax.lax.stop_gradient(mean) - mean)''',
    "sphere": '''def _along(y):
    """y itself; derivatives in it are projected on the tangent space."""
    fixed = jax.lax.stop_gradient(y)
    return y - fixed * jnp.vdot(fixed, y - fixed)''',
}


@singledispatch
def _inside(support: sp.Set, y: str) -> tuple[str, str, str, str]:
    """The test whether y is inside; which entries to keep, and what stands for the others; the score from the
    gradient {slope} at the safe point {safe}."""
    raise CodegenError(given=f"the support {support}", expected="an interval or a manifold", fix="leave support out")


@_inside.register
def _(support: Simplex, y: str):
    return _ON_SIMPLEX, "{inside}", f"1 / {y}.size", "{slope} - jnp.mean({slope})"


@_inside.register
def _(support: Sphere, y: str):
    return _ON_SPHERE, "{inside}", f"{y}.size**-0.5", "{slope} - {safe} * jnp.vdot({safe}, {slope})"


@_inside.register
def _(support: sp.Interval, y: str):
    low, high = support.start, support.end
    relations = [(low, ">" if support.left_open else ">="), (high, "<" if support.right_open else "<=")]
    parts = [f"({y} {relation} {float(end)!r})" for end, relation in relations if end.is_finite]
    point = (low + high) / 2 if low.is_finite and high.is_finite else low + 1 if low.is_finite else high - 1
    test = " & ".join(parts)
    text = f'def _is_inside({y}):\n    """Is every entry in {support}?"""\n    return jnp.all({test})'
    return text, test, repr(float(point)), "{slope}"


def bounded_functions(declaration: ArrayDeclaration, entries: sp.Set) -> tuple[list[str], dict[str, str]]:
    """Private functions, and log_prob, score, level_score, sample and fisher of one event where they are known.

    `entries` is the manifold, or the interval of each entry.
    """
    d, law = declaration.density, getattr(declaration, "law", None)
    wrapper = _Wrapper(d, entries)
    private = [wrapper.test, arrays.emit_log_prob(declaration.computed).replace("log_prob(", "density(", 1)]
    private.append(arrays.emit_score(d).replace("score(", "gradient(", 1).replace("log_prob", "density", 1))
    proper = None if law is None or law.name != "Dirichlet" else "jnp.all(gradient(jnp.ones_like({y}), {rest}) > -1)"
    texts = {
        "log_prob": wrapper.text("log_prob", "density", "{value}", "-jnp.inf", proper),
        "score": wrapper.text("score", "gradient", wrapper.score, "jnp.nan"),
    }
    if declaration.level_is_known:
        doc = f"d/d{declaration.level} of the log density, with its normaliser."
        private.append(arrays.emit_scalar(declaration.computed, "level_slope", declaration.level_slope, doc))
        texts["level_score"] = wrapper.text("level_score", "level_slope", "{value}", "jnp.nan")
    if isinstance(entries, Manifold):
        private = [f'MANIFOLD = "{entries.manifold}"', _ALONG[entries.manifold], *private]
    if law is not None and arrays.tells_size(d):
        private += helpers(law.name)
        texts |= {name: emit_from_gradient(d, law.name, name) for name in LAWS[law.name]}
    elif arrays.tells_size(d):
        texts["sample_by"] = arrays.emit_sample_by(d)
    return private, texts


class _Wrapper:
    """Writes the functions that look at the support before they use a formula."""

    def __init__(self, d, entries):
        writer = Writer(d)
        self.y, self.x, *self.parameters = writer.names[d.noisy], writer.names[d.clean], *writer.parameters
        self.test, self.keep, self.point, self.score = _inside(entries, self.y)
        self.names = {word: writer.lines.name(word) for word in ("inside", "safe", "slope", "value")}
        self.point_of_density = "_along({safe})" if isinstance(entries, Manifold) else "{safe}"
        self.rest = ", ".join([self.x, *(f"{p}={p}" for p in self.parameters)])

    def text(self, name, formula, result, outside, proper=None) -> str:
        y, inside, safe = self.y, self.names["inside"], self.names["safe"]
        found = self.names["slope" if "{slope}" in result else "value"]
        at = self.point_of_density if formula == "density" else "{safe}"
        keywords = f", *, {', '.join(self.parameters)}" * bool(self.parameters)
        lines = [
            f"def {name}({y}, {self.x}, /{keywords}):",
            f"    {inside} = _is_inside({y})",
            f"    {safe} = jnp.where({self.keep.format(**self.names)}, {y}, {self.point})",
            f"    {found} = {formula}({at.format(**self.names)}, {self.rest})",
        ]
        if proper is not None:
            lines.append(f"    {found} = jnp.where({proper.format(y=y, rest=self.rest)}, {found}, jnp.nan)")
        return "\n".join([*lines, f"    return jnp.where({inside}, {result.format(**self.names)}, {outside})"])
