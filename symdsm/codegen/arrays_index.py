"""Index expressions as the text between square brackets."""

import sympy as sp

from symdsm.symbolic.indexed_nodes import axes_of

__all__ = ["age", "index_texts", "size_text", "slice_text", "with_new_axes"]


def age(axis):
    return axis.dummy_index


def size_text(e) -> str:
    """An integer expression in sizes as Python."""
    e = sp.expand(e) if not e.has(sp.Max) else e
    if isinstance(e, sp.Max):
        return f"max({', '.join(sorted(map(size_text, e.args)))})"
    return str(e)


def index_texts(target, lengths, ranges):
    """[(text, axis)] when each index is an element, a slice or a roll of an axis of its own, else None."""
    texts, used = [], set()
    for index, length in zip(target, lengths, strict=True):
        axes = axes_of(index)
        if not axes:
            texts.append((size_text(index), None))
            continue
        axis = min(axes, key=age)
        text = None if len(axes) > 1 or axis in used else slice_text(index, axis, ranges[axis], length)
        if text is None:
            return None
        used.add(axis)
        texts.append((text, axis))
    return texts


def slice_text(index, axis, bounds, length):
    low, high = bounds
    if isinstance(index, sp.Mod):
        shift = sp.expand(index.args[0] - axis)
        whole = low == 0 and sp.expand(high + 1 - length) == 0 and sp.expand(index.args[1] - length) == 0
        return f"roll {size_text(shift)}" if whole and axis not in shift.free_symbols else None
    index = sp.expand(index)
    stride = index.coeff(axis, 1)
    offset = sp.expand(index - stride * axis)
    if axis in offset.free_symbols or not stride.is_Integer:
        return None
    if stride < 0:
        whole = low == 0 and sp.expand(high + 1 - length) == 0 and sp.expand(offset - high) == 0
        return "::-1" if stride == -1 and whole else None
    start, stop = sp.expand(offset + stride * low), sp.expand(offset + stride * high + 1)
    left = sp.expand(length - stop)
    first = "" if start == 0 else size_text(start)
    if left.is_Integer and 0 <= left < stride:
        last = ""
    elif left.is_Integer:
        last = f"-{left}"
    else:
        last = f"max({size_text(stop)}, 0)" if stop.as_coeff_Add()[0] < 0 else size_text(stop)
    return f"{first}:{last}" + (f":{stride}" if stride > 1 else "")


def with_new_axes(index, frame):
    """The index text that puts the dimensions of `index` into the frame."""
    parts, pending, started = [], list(index), False
    present = {a for _, a in index}
    for axis in frame:
        if axis in present:
            while pending[0][1] is None:
                parts.append(pending.pop(0)[0])
            parts.append(pending.pop(0)[0])
            started = True
        elif started:
            parts.append("None")
    parts += [text for text, _ in pending]
    while parts and parts[-1] == ":":
        parts.pop()
    return f"[{', '.join(parts)}]" if parts else ""
