"""The growth of h(r), r linear in the entries of an array, from h on the line: pieces allowed.

The orders at infinity are leading exponents of h, h' and h''; at the joints of the pieces h has to be continuous, and a
jump of h' upwards is a convex kink, downwards a concave one.
"""

import sympy as sp

from symdsm.symbolic.exponents import lead_of, settle_signs
from symdsm.symbolic.indexed_nodes import Mask
from symdsm.symbolic.kinks import kinks
from symdsm.symbolic.leading import d, tends_to
from symdsm.symbolic.nodes import plain

__all__ = ["ends", "orders_of_pieces"]

_OO, _NONE = float("inf"), float("-inf")


def orders_of_pieces(body: sp.Expr, noisy: sp.IndexedBase) -> tuple | None:
    """(size, slope, low, up, sign, above, below, continuous) of the body as a function of y; None when undecided."""
    found = _on_a_line(body, noisy)
    if found is None:
        return None
    h, t, points = found
    places, complete = kinks(h, t)
    if not complete:
        return None
    derivatives = [h, sp.diff(h, t), sp.diff(h, t, 2)]
    leads = [[_limit(f, t, way / d, points) for f in derivatives] for way in (1, -1)]
    orders = [max(_order(leads[w][k]) for w in (0, 1)) for k in range(3)]
    low = up = orders[2] if any(end[2] is None or end[2].c != 0 for end in leads) else _NONE
    for place in places:
        if place.is_real is False:
            continue
        sides = [[tends_to(_limit(f, t, place + way * d, points)) for f in derivatives[:2]] for way in (-1, 1)]
        if any(v is None or v.has(sp.oo, -sp.oo) for side in sides for v in side):
            return None
        jump, kink = (sp.simplify(b - a) for a, b in zip(*sides, strict=True))
        if jump != 0:
            return None
        up = _OO if kink.is_positive or kink.is_nonzero is None and kink != 0 else max(up, 0)
        low = _OO if kink.is_negative or kink.is_nonzero is None and kink != 0 else max(low, 0)
        if kink.is_positive:
            low = max(low, 0) if low != _OO else low
    limits = [tends_to(end[0]) for end in leads]
    above, below = (all(v is not None and v != bad and not v.has(sp.sign) for v in limits) for bad in (sp.oo, -sp.oo))
    return orders[0], orders[1], low, up, 0, above, below, True


def ends(body: sp.Expr, noisy: sp.IndexedBase) -> tuple:
    """The limits of h at +oo and -oo, None for one that is not decided."""
    found = _on_a_line(body, noisy)
    if found is None:
        return None, None
    h, t, points = found
    return tuple(tends_to(_limit(h, t, way / d, points)) for way in (1, -1))


def _on_a_line(body, noisy) -> tuple | None:
    """(h, t, parameters to try) with the body h(t) for one t that is linear in y."""
    t = sp.Symbol("_t", real=True)
    h = _of_one_form(body, noisy, t)
    if h is None:
        return None
    names = {a: sp.Dummy(f"p{k}", positive=a.is_positive, real=True)
             for k, a in enumerate(sorted(h.atoms(sp.Indexed), key=str))}  # fmt: skip
    h = h.xreplace(names)
    symbols = sorted(h.free_symbols - {t}, key=str)
    return h, t, [{s: _trial(s, j, k) for j, s in enumerate(symbols)} for k in range(4)]


def _trial(symbol, j, k) -> float:
    """Either sign where the assumptions leave it open."""
    size = 0.7 + 0.3 * ((5 * k + 3 * j) % 7)
    return size if symbol.is_positive or (j + k) % 2 else -size


def _of_one_form(body, noisy, t):
    """h with body = h(r) for one r that is linear in y; None when there is none."""
    holds = lambda e: any(entry.base == noisy for entry in e.atoms(sp.Indexed))  # noqa: E731
    whole = body.replace(lambda e: isinstance(e, Mask), lambda e: sp.Piecewise((e.args[0], e.args[1]), (0, True)))
    sums = [a for a in whole.atoms(sp.Add) if holds(a) and a.is_polynomial(*[i for i in a.atoms(sp.Indexed)])]
    entries = [i for i in whole.atoms(sp.Indexed) if i.base == noisy]
    for r in [*sorted(sums, key=sp.count_ops), *entries]:
        found = whole.xreplace({r: t, sp.expand(-r): -t})
        if not holds(found) and all(not sp.diff(r, i).has(sp.Indexed) for i in r.atoms(sp.Indexed) if i.base == noisy):
            return plain(found)
    return None


def _limit(f, t, at, points):
    return lead_of(settle_signs(f.xreplace({t: at}), points))


def _order(lead):
    if lead is None or lead.E != 0 or not lead.p.is_number:
        return _OO
    return _NONE if lead.c == 0 else float(-lead.p) + (0.01 if lead.m > 0 else 0.0)
