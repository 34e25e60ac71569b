"""JAX source of a coupled kernel, written for one event.

log_prob sums over the event's axes; score has the event's shape. The score is the sum of the contributions of the
occurrences of y: those that reach the whole array are added up, those that reach a slice of it are added to that
slice, in the frame of the sum that they come from:

    out = jnp.zeros_like(y)
    out = out.at[1:].add(-t0)
    out = out.at[:-1].add(t0)

so the boundaries are right by construction and each difference is computed once. The functions take arrays without
batch axes; `jnp.vectorize` with the signature of the shapes makes them batched.
"""

import sympy as sp

from symdsm.codegen.arrays_function import Writer, name_of
from symdsm.codegen.arrays_score import emit_score
from symdsm.errors import DeclarationError, DerivationError
from symdsm.symbolic.indexed import IndexedDensity, derivative_in
from symdsm.symbolic.indexed_gaussian import fisher_trace, is_quadratic, log_normaliser_derivative
from symdsm.symbolic.indexed_shapes import readings

__all__ = [
    "clean_writer",
    "emit_derivative",
    "emit_fisher",
    "emit_level_fisher",
    "emit_level_score",
    "emit_level_slope",
    "emit_log_prob",
    "emit_sample",
    "emit_sample_by",
    "emit_scalar",
    "emit_score",
    "emit_without_noise",
    "name_of",
    "of_unknown_noisy",
    "signature",
    "start_text",
    "symbolic_shapes",
    "tells_size",
]


def emit_log_prob(d: IndexedDensity) -> str:
    """`def log_prob(y, x, /, *, ...)`: the log density of one event, a scalar."""
    return emit_scalar(d, "log_prob", d.expr, f"log p({name_of(d.noisy)} | {name_of(d.clean)}), summed over the event.")


def signature(d: IndexedDensity) -> dict[str, str]:
    """Core dimensions of y, x and the parameters, in the order of the arguments, for `jnp.vectorize`."""
    return Writer(d).signature()


def symbolic_shapes(d: IndexedDensity) -> dict[str, tuple]:
    """The lengths of the axes of y, x and the parameters, in the order of the arguments."""
    return Writer(d).shapes()


def emit_derivative(d: IndexedDensity, symbol: sp.Symbol) -> str:
    """`def derivative(...)`: the derivative of the log density, as it was given, in a scalar parameter."""
    return emit_scalar(d, "derivative", derivative_in(d, symbol), f"d/d{symbol} of the log density as declared.")


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
    return emit_level_slope(d, symbol, derivative_in(d, symbol) - correction)


def emit_level_slope(d: IndexedDensity, symbol: sp.Symbol, slope: sp.Expr) -> str:
    """`def level_score(...)` of a slope that is known."""
    text = f"d/d{symbol} log p({name_of(d.noisy)} | {name_of(d.clean)}), with the normaliser."
    return emit_scalar(d, "level_score", slope, text)


def emit_fisher(d: IndexedDensity) -> str:
    """`def fisher(x, /, *, ...)` of a Gaussian: the trace of E[score score'], which is that of the precision matrix.

    Raises DerivationError when the log density is not quadratic in y.
    """
    trace = fisher_trace(d)
    if trace is None:
        raise _not_gaussian(d)
    return emit_without_noise(d, "fisher", trace, "E of the squared score, summed.")


def emit_level_fisher(d: IndexedDensity, level: sp.Symbol) -> str:
    """`def level_fisher(x, /, *, ...)` of a Gaussian whose level is its scale: 2 n / level**2 for n entries."""
    expr = 2 * sp.Mul(*d.shapes[d.noisy]) / level**2
    return emit_without_noise(d, "level_fisher", expr, "E of the squared level score.")


def emit_without_noise(d: IndexedDensity, name: str, expr: sp.Expr, text: str) -> str:
    """`def name(x, /, *, ...)`: an expression in the symbols of d.expr that does not hold y."""
    writer = clean_writer(d)
    fragment = writer.lowering.fragment(expr, ())
    lines = writer.lines.prepare([fragment])
    result = lines.text(fragment)
    return writer.function(name, [*lines.out, f"return jnp.asarray({result})"], text)


def clean_writer(d: IndexedDensity) -> Writer:
    """A writer of functions without y: sizes are read from the other arrays."""
    return Writer(d, readings(d.shapes, set(d.sizes), without=d.noisy), without_noisy=True)


def tells_size(d: IndexedDensity) -> bool:
    """Do x and the parameters tell the shape of y?"""
    try:
        clean_writer(d)
    except DeclarationError:
        return False
    return True


def emit_sample(d: IndexedDensity) -> str:
    """`def sample(key, x, /, *, ...)` of a Gaussian, exactly, from the affine `score` of the same module.

    score(y) = b - H y, so H is minus the Jacobian of the score, the mean solves H m = b, and with H = L L' a draw is
    m + L^{-T} e. Raises DerivationError when the log density is not quadratic in y.
    """
    if not is_quadratic(d):
        raise _not_gaussian(d)
    writer, arguments, shape = of_unknown_noisy(d)
    wanted = ("zero", "offset", "precision", "factor", "mean", "noise")
    zero, offset, precision, factor, mean, noise = map(writer.lines.name, wanted)
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


def emit_sample_by(d: IndexedDensity) -> str:
    """`def sample_by(chain, key, x, /, *, ...)`: what `chain(key, log_density, start)` draws from the log density.

    `start` is an array of y's shape: the clean values where they have that shape, else zeros. Raises
    DeclarationError when no array but y tells y's shape.
    """
    writer, arguments, shape = of_unknown_noisy(d)
    body = [f"return chain(key, lambda value: log_prob(value, {arguments}), {start_text(d, writer, shape)})"]
    return writer.function("sample_by", body, "What `chain` draws from one event's density.", "chain, key")


def start_text(d, writer: Writer, shape: str) -> str:
    """An array of y's shape: the clean values where they have that shape, else zeros."""
    clean = writer.names[d.clean]
    kind = f"jnp.result_type({clean}, float)"
    if d.clean.is_Symbol or d.shapes.get(d.clean) == d.shapes[d.noisy]:
        return f"jnp.broadcast_to({clean}, {shape}).astype({kind})"
    return f"jnp.zeros({shape}, dtype={kind})"


def of_unknown_noisy(d: IndexedDensity) -> tuple[Writer, str, str]:
    """A writer of a function without y, the arguments besides y, and y's shape."""
    writer = clean_writer(d)
    arguments = ", ".join([writer.names[d.clean], *(f"{p}={p}" for p in writer.parameters)])
    lengths = [writer.sized(length) for length in d.shapes[d.noisy]]
    return writer, arguments, f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''})"


def emit_scalar(d: IndexedDensity, name: str, expr: sp.Expr, text: str) -> str:
    """`def name(y, x, /, *, ...)`: an expression in the symbols of d.expr."""
    writer = Writer(d)
    fragment = writer.lowering.fragment(expr, ())
    lines = writer.lines.prepare([fragment])
    result = lines.text(fragment)
    if not expr.has(sp.Indexed):
        result = f"jnp.asarray({result}, dtype={writer.names[d.noisy]}.dtype)"
    return writer.function(name, [*lines.out, f"return {result}"], text)


def _not_gaussian(d):
    return DerivationError(
        given=f"a log density that is not quadratic in {d.noisy}",
        expected="a Gaussian kernel",
        fix="use Markov chain Monte Carlo on the kernel",
    )
