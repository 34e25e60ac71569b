"""JAX source of a coupled kernel, written for one event.

log_prob sums over the event's axes; score has the event's shape. The score is the sum of the contributions of the
occurrences of y: those that reach the whole array are added up, those that reach a slice of it are added to that
slice, in the frame of the sum that they come from:

    out = -residual
    out = out.at[1:].add(-t0)
    out = out.at[:-1].add(t0)

so the boundaries are right by construction and each difference is computed once. The functions take arrays without
batch axes; `jnp.vectorize` with the signature of the shapes makes them batched.
"""

import keyword
import re

import sympy as sp

from symdsm.codegen.arrays_index import index_texts, size_text
from symdsm.codegen.arrays_lower import Lowering
from symdsm.codegen.arrays_text import Lines
from symdsm.errors import DerivationError
from symdsm.symbolic.indexed import IndexedDensity, derivative_in
from symdsm.symbolic.indexed_gaussian import is_quadratic, log_normaliser_derivative
from symdsm.symbolic.indexed_nodes import axes_of
from symdsm.symbolic.indexed_shapes import readings

__all__ = ["emit_derivative", "emit_level_score", "emit_log_prob", "emit_sample", "emit_score"]


def emit_log_prob(d: IndexedDensity) -> str:
    """`def log_prob(y, x, /, *, ...)`: the log density of one event, a scalar."""
    return _scalar_function(
        d, "log_prob", d.expr, f"log p({_name(d.noisy)} | {_name(d.clean)}), summed over the event."
    )


def emit_derivative(d: IndexedDensity, symbol: sp.Symbol) -> str:
    """`def derivative(...)`: the derivative of the log density, as it was given, in a scalar parameter."""
    return _scalar_function(d, "derivative", derivative_in(d, symbol), f"d/d{symbol} of the log density as declared.")


def emit_level_score(d: IndexedDensity, symbol: sp.Symbol) -> str:
    """`def level_score(...)`: the derivative in the level with the normaliser included, where the level is a scale.

    Raises DerivationError when the level is not a scale of the noise.
    """
    correction = log_normaliser_derivative(d, symbol)
    if correction is None:
        raise DerivationError(
            given=f"the level {symbol} of a coupled density",
            expected=f"a scale: a density that depends on {symbol} through (y - centre)/{symbol} only",
            fix="declare the density with its normaliser, and use emit_derivative",
        )
    text = f"d/d{symbol} log p({_name(d.noisy)} | {_name(d.clean)}), with the normaliser."
    return _scalar_function(d, "level_score", derivative_in(d, symbol) - correction, text)


def emit_score(d: IndexedDensity) -> str:
    """`def score(y, x, /, *, ...)`: the derivative of log_prob in y, of y's shape."""
    writer = _Writer(d)
    y = writer.names[d.noisy]
    whole, parts = [], {}
    for c in d.score:
        place, fragment, axes = _placed(writer.lowering, c, d.shapes[d.noisy])
        if place == "":
            whole.append((fragment, axes))
        else:
            parts.setdefault(place, []).append(fragment)
    total = sp.Add(*(f for f, _ in whole))
    slices = [(place, sp.Add(*fragments)) for place, fragments in sorted(parts.items(), key=str)]
    indices = [f for (_, fragments), _ in slices for f in fragments]
    lines = writer.lines.prepare([total, *indices, *(f for _, f in slices)])
    covers = len(writer.lowering.axes_in(total, tuple(range(d.event_ndim)))) == d.event_ndim
    first = lines.text(total) if covers else f"jnp.full_like({y}, {lines.text(total)})"
    if not slices:
        return writer.function("score", [*lines.out, f"return {first}"], _SCORE_DOC)
    body = []
    out = lines.name("out")
    body.append(f"{out} = {first if total != 0 else f'jnp.zeros_like({y})'}")
    for (template, fragments), value in slices:
        text = template
        for k, f in enumerate(fragments):
            text = text.replace(f"{{{k}}}", lines.text(f))
        body.append(f"{out} = {out}.at[{text}].add({lines.text(value)})")
    return writer.function("score", [*lines.out, *body, f"return {out}"], _SCORE_DOC)


def emit_sample(d: IndexedDensity) -> str:
    """`def sample(key, x, /, *, ...)` of a Gaussian, exactly, from the affine `score` of the same module.

    score(y) = b - H y, so H is minus the Jacobian of the score, the mean solves H m = b, and with H = L L' a draw is
    m + L^{-T} e. Raises DerivationError when the log density is not quadratic in y.
    """
    if not is_quadratic(d):
        raise DerivationError(
            given=f"a log density that is not quadratic in {d.noisy}",
            expected="a Gaussian kernel",
            fix="sample the kernel by Markov chain Monte Carlo",
        )
    writer = _Writer(d, readings(d.shapes, set(d.sizes), without=d.noisy), without_noisy=True)
    arguments = ", ".join([writer.names[d.clean], *(f"{p}={p}" for p in writer.parameters)])
    lengths = [size_text(length) for length in d.shapes[d.noisy]]
    shape = f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"
    names = {wanted: writer.lines.name(wanted) for wanted in ("zero", "offset", "precision", "factor", "mean", "noise")}
    zero, offset, precision, factor, mean, noise = names.values()
    flat = "" if d.event_ndim == 1 else ".reshape(-1)"
    square = "" if d.event_ndim == 1 else f".reshape({zero}.size, {zero}.size)"
    back = "" if d.event_ndim == 1 else f".reshape({shape})"
    body = [
        f"{zero} = jnp.zeros({shape}, dtype=jnp.result_type({writer.names[d.clean]}, float))",
        f"{offset} = score({zero}, {arguments}){flat}",
        f"{precision} = -jax.jacfwd(lambda value: score(value, {arguments}))({zero}){square}",
        f"{factor} = jnp.linalg.cholesky({precision})",
        f"{mean} = jax.scipy.linalg.cho_solve(({factor}, True), {offset})",
        f"{noise} = jax.random.normal(key, {mean}.shape, {mean}.dtype)",
        f"return ({mean} + jax.scipy.linalg.solve_triangular({factor}, {noise}, lower=True, trans=1)){back}",
    ]
    return writer.function("sample", body, "One draw; exact, by the Cholesky factor of the precision matrix.", "key")


_SCORE_DOC = "Derivative of log_prob in its first argument; has its shape."


def _scalar_function(d, name, expr, text):
    writer = _Writer(d)
    fragment = writer.lowering.fragment(expr, ())
    lines = writer.lines.prepare([fragment])
    result = lines.text(fragment)
    if not expr.has(sp.Indexed):
        result = f"jnp.asarray({result}, dtype={writer.names[d.noisy]}.dtype)"
    return writer.function(name, [*lines.out, f"return {result}"], text)


def _placed(lowering, c, lengths):
    """Where a contribution goes: ("", fragment, axes) for the whole array, else (place, fragment, axes)."""
    lowering.enter(c.limits)
    reached = set().union(*(axes_of(t) for t in c.target), set())
    summed = tuple(limit for limit in c.limits if limit[0] not in reached)
    seed = sp.Sum(c.seed, *summed) if summed else c.seed
    index = index_texts(c.target, lengths, lowering.ranges)
    if index is None:
        axes = tuple(limit[0] for limit in c.limits if limit[0] in reached)
        return lowering.places(c.target, axes), _spread(lowering, seed, axes), axes
    axes = tuple(a for _, a in index if a is not None)
    fragment = lowering.fragment(seed, axes)
    for dimension, (text, axis) in enumerate(index):
        if text.startswith("roll"):
            along = f", axis={dimension}" if len(index) > 1 else ""
            spread = _spread(lowering, seed, axes)
            rolled = lowering.operation(f"jnp.roll({{0}}, {text[5:]}{along})", (spread,), axes)
            fragment = lowering.seen(rolled, axes, axes)
            seed, index[dimension] = None, (":", axis)
    if all(text == ":" for text, _ in index):
        return "", fragment, axes
    texts = [text for text, _ in index]
    while texts[-1] == ":":
        texts.pop()
    return (", ".join(texts), ()), fragment, axes


def _spread(lowering, seed, axes):
    """The seed as an array that has all the axes."""
    fragment = lowering.fragment(seed, axes)
    if lowering.axes_in(fragment, axes) == set(axes):
        return fragment
    shape = ", ".join(str(lowering.length(a)) for a in axes)
    return lowering.seen(lowering.operation(f"jnp.broadcast_to({{0}}, ({shape},))", (fragment,), axes), axes, axes)


class _Writer:
    """Signature, shape checks and body of one function."""

    def __init__(self, d, reading=None, without_noisy=False):
        self.d, self.reading = d, d.readings if reading is None else reading
        self.arrays = [b for b in d.shapes if not (without_noisy and b == d.noisy)]
        symbols = [d.noisy, d.clean, *d.array_params, *d.scalar_params]
        self.names = {s: _name(s) for s in symbols}
        self.parameters = sorted(_name(s) for s in (*d.array_params, *d.scalar_params))
        taken = set(self.names.values()) | {"jax", "jnp", "key", "value"}
        for size in d.sizes:
            self.names[size] = _name(size) if _name(size) not in taken else f"{_name(size)}_size"
            taken.add(self.names[size])
        self.names.update({b.label: self.names[b] for b in d.array_params})
        self.lowering = Lowering(d, self.names)
        self.lines = Lines(self.lowering, taken)
        self.without_noisy = without_noisy

    def function(self, name, body, doc, first=None):
        y, x = first or self.names[self.d.noisy], self.names[self.d.clean]
        arrays = {self.names[b] for b in self.d.array_params}
        typed = [f"{p}: jax.Array" if p in arrays else f"{p}: jax.Array | float" for p in self.parameters]
        keywords = f", *, {', '.join(typed)}" if typed else ""
        head = [f"def {name}({y}: jax.Array, {x}: jax.Array, /{keywords}) -> jax.Array:", f'    """{doc}"""']
        lines = [*self._checks(), *body]
        lines = [line for k, line in enumerate(lines) if not self._is_unused(line, lines[k + 1 :])]
        return "\n".join(head + ["    " + line for line in lines]) + "\n"

    def _is_unused(self, line, later):
        """A size that is read and never used."""
        name, _, value = line.partition(" = ")
        is_size = name in {self.names[size] for size in self.d.sizes} and value.startswith(("jnp.shape", "(jnp.shape"))
        return is_size and not any(re.search(rf"\b{name}\b", other) for other in later)

    def _checks(self):
        lines = []
        for base in self.arrays:
            rank, name = len(self.d.shapes[base]), self.names[base]
            if rank and any(r.base == base for r in self.reading):
                lines += _refusal(
                    f"jnp.ndim({name}) != {rank}",
                    f"{name} needs {rank} ax{'is' if rank == 1 else 'es'}, got shape {{jnp.shape({name})}}",
                )
        for r in self.reading:
            length = f"jnp.shape({self.names[r.base]})[{r.axis}]"
            if r.offset != 0:
                offset = self._sized(r.offset)
                length = f"{length} - {offset}" if offset.isidentifier() else f"{length} - ({offset})"
            count = f"({length}) // {r.stride}" if r.stride != 1 else length
            lines.append(f"{self.names[r.size]} = {count}")
        for base in self.arrays:
            lengths = self.d.shapes[base]
            read = [r for r in self.reading if r.base == base]
            if lengths and not (len(read) == len(lengths) and all(r.stride == 1 for r in read)):
                texts = [self._sized(length) for length in lengths]
                shape = f"({', '.join(texts)}{',' if len(texts) == 1 else ''})"
                symbols = ", ".join(map(str, lengths)) + ("," if len(lengths) == 1 else "")
                told = ", ".join(f"{r.size} from axis {r.axis} of {self.names[r.base]}" for r in self.reading)
                told = f" ({told})" if told else ""
                name = self.names[base]
                message = f"{name} needs shape ({symbols}) = {{{shape}}}{told}, got {{jnp.shape({name})}}"
                lines += _refusal(f"jnp.shape({name}) != {shape}", message)
            elif not lengths:
                square = f"jnp.ndim({self.names[base]}) != 2 or len(set(jnp.shape({self.names[base]}))) != 1"
                lines += _refusal(
                    square,
                    f"{self.names[base]} needs to be a square matrix, got shape {{jnp.shape({self.names[base]})}}",
                )
        scalars = [s for s in (self.d.clean, *self.d.scalar_params) if s.is_Symbol]
        for name in (self.names[s] for s in scalars):
            lines += _refusal(f"jnp.ndim({name}) != 0", f"{name} needs to be a scalar, got shape {{jnp.shape({name})}}")
        return lines

    def _sized(self, e):
        return size_text(sp.sympify(e).xreplace({s: sp.Symbol(self.names[s], integer=True) for s in self.d.sizes}))


def _refusal(condition, message):
    return [f"if {condition}:", f'    raise ValueError(f"{message}")']


def _name(symbol) -> str:
    name = re.sub(r"\W", "_", str(symbol))
    return f"{name}_" if keyword.iskeyword(name) or name[:1].isdigit() else name
