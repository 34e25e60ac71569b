"""The score as array code: where each contribution goes.

A contribution that reaches the whole array is added. One that reaches a slice is padded with zeros when it is cheap,
so that everything stays one loop over the array, and added in place when it is dear, because a padded term is
computed once for each of its uses (measured on a million coordinates: padding is three times faster for differences,
adding in place sixteen times faster for roots). On one axis one of the padded terms is concatenated with its zeros
instead, which is twice as fast on one CPU core and no gain on two; an entry that stands before it takes the place of
the zero.
"""

import re

import sympy as sp

from symdsm.codegen.arrays_function import Writer
from symdsm.codegen.arrays_index import index_texts
from symdsm.symbolic.indexed import IndexedDensity
from symdsm.symbolic.indexed_nodes import axes_of

__all__ = ["emit_score"]

_SCORE_DOC = "Derivative of log_prob in its first argument; has its shape."


def emit_score(d: IndexedDensity) -> str:
    """`def score(y, x, /, *, ...)`: the derivative of log_prob in y, of y's shape."""
    writer = Writer(d)
    y = writer.names[d.noisy]
    whole, parts = [], {}
    for c in d.score:
        place, fragment, axes = _placed(writer.lowering, c, d.shapes[d.noisy])
        if place == "":
            whole.append((fragment, axes))
        else:
            parts.setdefault(place, []).append(fragment)
    total = sp.Add(*(f for f, _ in whole))
    slices, padded = [], {}
    for place, fragments in sorted(parts.items(), key=str):
        value = sp.Add(*fragments)
        widths = _widths(place, d.event_ndim)
        if widths is not None and _is_cheap_everywhere(writer.lowering, value, d.event_ndim):
            padded[widths] = value
        else:
            slices.append((place, value))
    joined = _joined(padded) if d.event_ndim == 1 else None
    first_entry = next((s for s in slices if s[0] == ("0", ())), None) if joined and joined[0][0] == 1 else None
    if first_entry is not None:
        slices.remove(first_entry)
    for widths, value in padded.items():
        head = first_entry and first_entry[1]
        total += (
            _concatenated(writer.lowering, widths[0], value, head, y)
            if widths == joined
            else _padded(writer.lowering, widths, value)
        )
    slices = _with_common_factors(writer.lowering, slices, tuple(range(d.event_ndim)))
    total = writer.lowering.with_residual(total)
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


def _with_common_factors(lowering, slices, frame):
    """The slices with a leaf for the factors that all their products share: a weight is computed once."""
    products = {t.as_coeff_Mul()[1] for _, value in slices for t in sp.Add.make_args(value)}
    if len(products) < 2:
        return slices
    common = sp.Mul(*set.intersection(*(set(sp.Mul.make_args(p)) for p in products)))
    axes = tuple(a for a in frame if a in lowering.axes_in(common, frame))
    if not common.is_Mul or not axes:
        return slices
    weight = lowering.seen(lowering.operation("{0}", (common,), axes), axes, frame)
    return [(place, sp.Add(*(t / common * weight for t in sp.Add.make_args(value)))) for place, value in slices]


def _spread(lowering, seed, axes):
    """The seed as an array that has all the axes."""
    fragment = lowering.fragment(seed, axes)
    if lowering.axes_in(fragment, axes) == set(axes):
        return fragment
    shape = ", ".join(str(lowering.length(a)) for a in axes)
    return lowering.seen(lowering.operation(f"jnp.broadcast_to({{0}}, ({shape},))", (fragment,), axes), axes, axes)


def _widths(place, rank) -> tuple | None:
    """How many entries are missing before and after a slice, on each axis; None for an entry or a gather."""
    template, fragments = place
    ends = [re.fullmatch(r"(\d*):(?:-(\d+))?", text) for text in template.split(", ")]
    if fragments or not all(ends):
        return None
    return tuple((int(m.group(1) or 0), int(m.group(2) or 0)) for m in ends) + ((0, 0),) * (rank - len(ends))


def _joined(padded) -> tuple | None:
    """The part to be concatenated with its zeros: one in the middle if there is one, else one at the end."""
    before = [widths for widths in padded if widths[0][0] > 0]
    return min(before, key=lambda w: (w[0][1] == 0, w)) if before else None


def _positive(value):
    """(factor, rest) with value = factor rest, so that a sign or a number stands in front of the padding."""
    factor, value = value.primitive() if value.is_Add else value.as_coeff_Mul()
    return (-factor, -value) if value.could_extract_minus_sign() else (factor, value)


def _padded(lowering, widths, value):
    """The slice's value padded with zeros to the whole array."""
    rank = len(widths)
    factor, value = _positive(value)
    width = str(widths[0] if rank == 1 else widths)
    operation = lowering.operation(f"jnp.pad({{0}}, {width})", (value,), tuple(range(rank)))
    return factor * lowering.leaf(operation, "", set(range(rank)))


def _concatenated(lowering, widths, value, head, y):
    """The same by concatenation, with `head` as the first entry of the array, or zeros."""
    before, after = widths
    factor, value = _positive(value)
    front = "jnp.reshape({1}, 1)" if head is not None else f"jnp.zeros({before}, {y}.dtype)"
    back = f", jnp.zeros({after}, {y}.dtype)" if after else ""
    fragments = (value,) if head is None else (value, head / factor)
    operation = lowering.operation(f"jnp.concatenate([{front}, {{0}}{back}])", fragments, (0,))
    return factor * lowering.leaf(operation, "", {0})


def _is_cheap_everywhere(lowering, value, rank):
    """Cheap to compute again, and present along every axis."""
    return _is_cheap(lowering, value) and lowering.axes_in(value, tuple(range(rank))) == set(range(rank))


def _is_cheap(lowering, e):
    """Sums, products and small powers of arrays that are there, which the padding may compute again."""
    leaf = lowering.leaves.get(e)
    if leaf is not None:
        return isinstance(leaf.source, str) or leaf.source.template == "{0}"
    if not e.args:
        return True
    if e.is_Pow:
        small = e.exp.is_Integer and (0 < e.exp <= 4 or not _arrays(lowering, e.base))
        return bool(small) and _is_cheap(lowering, e.base)
    return isinstance(e, (sp.Add, sp.Mul, sp.Abs, sp.sign)) and all(_is_cheap(lowering, a) for a in e.args)


def _arrays(lowering, e):
    return {s for s in e.free_symbols if s in lowering.leaves and lowering.leaves[s].places}
