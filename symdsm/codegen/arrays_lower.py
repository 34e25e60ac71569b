"""Index notation to whole-array operations.

An expression with bound indices becomes an expression over whole arrays. A *frame* is an ordered tuple of axes; in a
frame every leaf is an array that broadcasts to it:

    y[i + c]              the slice y[lo + c : hi + 1 + c]; strides and reversals are slices too
    y[Mod(i + c, n)]      a roll;  P[i, i] the diagonal;  any other index a gather with arange
    sum of a + b          sum a + sum b, when a and b run over different axes
    sum of a product      one einsum over factors of different axes (a matmul where it is one)
    any other sum         a reduction of the elementwise summand
    an axis that the summand lacks multiplies by its length

Arrays of leaves are symbols, and operations that yield arrays are numbered by their text: the same slice difference
under two sums is one symbol, so that equal parts of different contributions meet again.
"""

from dataclasses import dataclass

import sympy as sp

from symdsm.codegen.arrays_factors import as_mask, by_axes, guarded, is_contraction, matmul
from symdsm.codegen.arrays_index import age, index_texts, size_text, slice_text, with_new_axes
from symdsm.codegen.arrays_linear import log_det, solve
from symdsm.symbolic.indexed import IndexedDensity
from symdsm.symbolic.indexed_nodes import LogDet, LogSumExp, Mask, Solve, axes_of, split_exp

__all__ = ["Leaf", "Lowering", "Operation"]

_LETTERS = "ijklmabcdefgh"


@dataclass(frozen=True)
class Operation:
    """One line of code: a template filled with fragments. `{0}` is the plain text, `{p0}` is safe inside a product."""

    template: str
    fragments: tuple
    axes: tuple
    number: int
    is_call: bool

    def __hash__(self):
        return self.number


@dataclass(frozen=True)
class Leaf:
    """A named array, or the result of an operation, seen in a frame through an index text.

    `places` are the axes that it has, counted from the end of the frame: 0 is the last.
    """

    source: object
    suffix: str
    places: frozenset


class Lowering:
    """Turns expressions of one density into fragments over leaves; `operations` are in order of use."""

    def __init__(self, density: IndexedDensity, names: dict, dtype_of: str):
        self.density, self.names, self.dtype_of = density, names, dtype_of
        self.ranges: dict = {}
        self.leaves: dict[sp.Symbol, Leaf] = {}
        self.operations: dict = {}
        self._memo: dict = {}

    # ---- leaves -------------------------------------------------------------------------------------------------

    def leaf(self, source, suffix="", places=()):
        label = source if isinstance(source, str) else f"t{source.number:04d}"
        symbol = sp.Symbol(f"{label}{suffix}", real=True)
        known = self.leaves[symbol].places if symbol in self.leaves else frozenset()
        self.leaves[symbol] = Leaf(source, suffix, known | frozenset(places))
        return symbol

    def operation(self, template, fragments, axes, is_call=True):
        key = (template, tuple(fragments))
        if key not in self.operations:
            self.operations[key] = Operation(template, tuple(fragments), tuple(axes), len(self.operations), is_call)
        found = self.operations[key]
        return Operation(template, found.fragments, tuple(axes), found.number, is_call)

    def seen(self, source, axes, frame, index=None):
        """A source with dimensions `axes`, indexed by `index` (texts, axis None for an element), in a frame."""
        index = index or [(":", a) for a in axes]
        order = [a for a in frame if a in axes]
        suffix = ""
        if [a for _, a in index if a is not None] != order:
            own = [a for _, a in index if a is not None]
            if any(text != ":" for text, _ in index):
                suffix = f"[{', '.join(text for text, _ in index)}]"
            permutation = ", ".join(str(own.index(a)) for a in order)
            suffix += ".T" if len(own) == 2 else f".transpose({permutation})"
            index = [(":", a) for a in order]
        places = {len(frame) - 1 - frame.index(a) for a in order}
        return self.leaf(source, suffix + with_new_axes(index, frame), places)

    def axes_in(self, fragment, frame) -> set:
        """The axes of the frame that the fragment really has."""
        leaves = [self.leaves[s] for s in fragment.free_symbols if s in self.leaves]
        return {frame[len(frame) - 1 - p] for leaf in leaves for p in leaf.places if p < len(frame)}

    def frame_of(self, e) -> tuple:
        """The free axes of e, in the order of its entries of highest rank."""
        free = axes_of(e)
        entries = [n for n in sp.preorder_traversal(e) if isinstance(n, sp.Indexed)]
        ordered = sorted(entries, key=lambda n: -len(axes_of(n) & free))
        axes = [a for n in ordered for i in n.indices for a in sorted(axes_of(i), key=age) if a in free]
        return tuple(dict.fromkeys(axes + sorted(free, key=age)))

    def length(self, axis):
        low, high = self.ranges[axis]
        count = sp.expand(high - low + 1)
        if count.is_Integer:
            return sp.Max(count, 0)
        return self.leaf(size_text(count) if count.is_Symbol else f"max({size_text(count)}, 0)")

    def enter(self, limits):
        for axis, low, high in limits:
            self.ranges[axis] = (low, high)
        return [limit[0] for limit in limits]

    # ---- expressions --------------------------------------------------------------------------------------------

    def fragment(self, e, frame, whole=False):
        """e in a frame; `whole` keeps index values integers (in conditions and gathers)."""
        key = (e, frame, whole)
        if key not in self._memo:
            self._memo[key] = self._fragment(e, frame, whole)
        return self._memo[key]

    def _fragment(self, e, frame, whole):
        if e in self.ranges:
            low, high = (size_text(b) for b in (self.ranges[e][0], self.ranges[e][1] + 1))
            bounds = high if low == "0" else f"{low}, {high}"
            dtype = "" if whole else f", dtype={self.dtype_of}.dtype"
            return self.seen(self.operation(f"jnp.arange({bounds}{dtype})", (), (e,)), (e,), frame)
        if isinstance(e, sp.Indexed):
            return self._entry(e, frame)
        if isinstance(e, sp.Symbol):
            return self.leaf(self.names.get(e, str(e)))
        if isinstance(e, sp.Sum):
            return self._total(e.function, self.enter(e.limits), frame)
        if isinstance(e, sp.Product):
            return self._product(e, frame)
        if isinstance(e, LogSumExp):
            return self._log_sum_exp(e, frame)
        if isinstance(e, LogDet):
            return log_det(self, e)
        if isinstance(e, Solve):
            return solve(self, e, frame)
        if isinstance(e, Mask):
            return self._cases([e], frame)
        if isinstance(e, sp.Add) and e.has(Mask):
            return self._add(e, frame)
        if not e.args:
            return e
        if isinstance(e, sp.core.relational.Relational):
            whole = not e.has(sp.Indexed)
        lowered = e.func(*(self.fragment(a, frame, whole) for a in e.args))
        return self.with_residual(lowered) if lowered.is_Add else lowered

    def with_residual(self, e):
        """y[1:] - x[1:] as residual[1:], with residual = y - x."""
        noisy, clean = self.density.noisy, self.density.clean
        if self.density.shapes.get(clean) != self.density.shapes[noisy]:
            return e
        y, x = (self.leaf(self.names[b]) for b in (noisy, clean))
        for symbol in sorted(e.free_symbols, key=str):
            leaf = self.leaves.get(symbol)
            alone = leaf is None or not leaf.suffix and len(e.args) == 2
            if alone or leaf.source != self.names[noisy]:
                continue
            partner = sp.Symbol(self.names[clean] + leaf.suffix, real=True)
            weight = e.coeff(symbol)
            if partner in self.leaves and weight.is_Number and e.coeff(partner) == -weight != 0:
                whole = self.operation("{0}", (y - x,), (), is_call=False)
                e = e - weight * (symbol - partner) + weight * self.leaf(whole, leaf.suffix, leaf.places)
        return e

    def _cases(self, masks, frame):
        """Masks that exclude each other, as one choice."""
        cases = []
        for f, condition in (m.args for m in masks):
            where, value = self.fragment(condition, frame), self.fragment(f, frame)
            arrays = {q for q in value.free_symbols if q in self.leaves and self.leaves[q].places}
            cases.append((guarded(value, where, arrays), where))
        if len(masks) > 1 and masks[-1].args[1] == sp.Not(sp.Or(*(m.args[1] for m in masks[:-1]))):
            cases[-1] = (cases[-1][0], sp.true)
        else:
            cases.append((sp.S.Zero, sp.true))
        return sp.Piecewise(*cases, evaluate=False)

    def _add(self, e, frame):
        groups, rest = [], []
        for term in e.args:
            mask = as_mask(term)
            if mask is None:
                rest.append(self.fragment(term, frame))
                continue
            for group in groups:
                if all(sp.And(mask.args[1], other.args[1]) == sp.false for other in group):
                    group.append(mask)
                    break
            else:
                groups.append([mask])
        for group in groups:
            group.sort(key=lambda m: (m.args[1].has(sp.Not, sp.Gt, sp.Ge), sp.default_sort_key(m.args[1])))
        return sp.Add(*rest, *(self._cases(group, frame) for group in groups))

    # ---- entries of arrays --------------------------------------------------------------------------------------

    def _entry(self, e, frame):
        source, lengths = self.names[e.base], self.density.shapes[e.base]
        index = index_texts(e.indices, lengths, self.ranges)
        axes = [a for a in self.frame_of(e)]
        if index is None:
            if (
                len(e.indices) == 2
                and e.indices[0] == e.indices[1] == axes[0]
                and slice_text(axes[0], axes[0], self.ranges[axes[0]], lengths[0]) == ":"
            ):
                return self.seen(self.operation(f"jnp.diagonal({source})", (), axes), axes, frame)
            return self.seen(self._gather(source, e.indices, axes), axes, frame)
        for dimension, (text, axis) in enumerate(index):
            if text.startswith("roll"):
                back, along = _negative(text[5:]), f", axis={dimension}" if len(index) > 1 else ""
                argument = source if isinstance(source, str) else source
                fragment = self.seen(argument, axes, tuple(a for _, a in index if a is not None))
                source = self.operation(f"jnp.roll({{0}}, {back}{along})", (fragment,), axes)
                index[dimension] = (":", axis)
        return self.seen(source, [a for _, a in index if a is not None], frame, index)

    def places(self, target, axes):
        """Index texts of a gather or a scatter: a template and its fragments."""
        fragments = tuple(self.fragment(t, tuple(axes), whole=True) for t in target)
        return ", ".join(f"{{{k}}}" for k in range(len(fragments))), fragments

    def _gather(self, source, target, axes):
        template, fragments = self.places(target, axes)
        return self.operation(f"{source}[{template}]", fragments, axes)

    # ---- sums ---------------------------------------------------------------------------------------------------

    def _total(self, body, bound, frame):
        terms: dict = {}
        for k, term in enumerate(sp.Add.make_args(body)):
            alone = k if is_contraction(term) else None
            terms.setdefault((alone, frozenset(axes_of(term))), []).append(term)
        if len(terms) > 1:
            return sp.Add(*(self._total(sp.Add(*group), bound, frame) for group in terms.values()))
        outer, inner = [], []
        for factor in sp.Mul.make_args(body):
            (inner if axes_of(factor) & set(bound) else outer).append(factor)
        scale = sp.Mul(*(self.fragment(f, frame) for f in outer))
        if len(inner) == 1 and outer and isinstance(inner[0], sp.Add):
            return scale * self._total(inner[0], bound, frame)
        if len(inner) == 1 and isinstance(inner[0], sp.Sum):
            return scale * self._total(inner[0].function, bound + self.enter(inner[0].limits), frame)
        groups = [self._grouped(sp.Mul(*group)) for group in by_axes(inner)] if inner else []
        covered = set().union(*(axes for _, axes in groups))
        missing = sp.Mul(*(self.length(a) for a in bound if a not in covered))
        if not groups:
            return scale * missing
        kept = tuple(a for a in frame if a in covered)
        if len(groups) == 1:
            return scale * missing * self._reduce("jnp.sum", groups[0], kept, frame)
        return scale * missing * self._contract(groups, kept, frame)

    def _grouped(self, e):
        """The fragment of e and its frame, without axes that cancelled."""
        frame = self.frame_of(e)
        fragment = self.fragment(e, frame)
        real = self.axes_in(fragment, frame)
        if real != set(frame):
            frame = tuple(a for a in frame if a in real)
            fragment = self.fragment(e, frame)
        return fragment, frame

    def _reduce(self, function, group, kept, frame, extra=""):
        fragment, own = group
        gone = [k for k, a in enumerate(own) if a not in kept]
        if not gone:
            return self.seen(self.operation("{0}", (fragment,), own, is_call=False), own, frame)
        axis = "" if len(gone) == len(own) else f", axis={gone[0] if len(gone) == 1 else tuple(gone)}"
        left = tuple(a for a in own if a in kept)
        return self.seen(self.operation(f"{function}({{0}}{axis}{extra})", (fragment,), left), left, frame)

    def _contract(self, groups, kept, frame):
        groups = sorted(groups, key=lambda g: -len(g[1]))
        letters: dict = {}
        for _, own in groups:
            for a in own:
                letters.setdefault(a, _LETTERS[len(letters)])
        inputs = ["".join(letters[a] for a in own) for _, own in groups]
        output = "".join(letters[a] for a in kept)
        symmetric = self._is_symmetric(groups[0][0])
        template = matmul(inputs, output, symmetric)
        is_call = template is None
        if is_call:
            operands = ", ".join(f"{{{k}}}" for k in range(len(groups)))
            template = f'jnp.einsum("{",".join(inputs)}->{output}", {operands})'
        source = self.operation(template, tuple(f for f, _ in groups), kept, is_call)
        return self.seen(source, kept, frame)

    def _is_symmetric(self, fragment):
        leaf = self.leaves.get(fragment)
        definite = {self.names[b] for b in self.density.positive_definite}
        return leaf is not None and leaf.source in definite and leaf.suffix == ""

    def _product(self, e, frame):
        bound = self.enter(e.limits)
        fragment, own = self._grouped(e.function)
        missing = sp.Mul(*(self.length(a) for a in bound if a not in own))
        kept = tuple(a for a in frame if a in own)
        return self._reduce("jnp.prod", (fragment, own), kept, frame) ** missing

    def _log_sum_exp(self, e, frame):
        bound = self.enter(e.limits)
        weight, exponent = split_exp(e.function)
        own = self.frame_of(e.function)
        kept = tuple(a for a in frame if a in own)
        missing = sp.Add(*(sp.log(self.length(a)) for a in bound if a not in own))
        if weight.is_positive:
            group = self.fragment(exponent + sp.log(weight), own)
            return missing + self._reduce("jax.nn.logsumexp", (group, own), kept, frame)
        fragments = (self.fragment(exponent, own), self.fragment(weight, own))
        gone = [k for k, a in enumerate(own) if a not in kept]
        axis = "" if len(gone) == len(own) else f", axis={gone[0] if len(gone) == 1 else tuple(gone)}"
        first = "{0}" if self.axes_in(fragments[0], own) == set(own) else "{p0} + jnp.zeros_like({1})"
        template = f"jax.nn.logsumexp({first}{axis}, b={{1}})"
        return missing + self.seen(self.operation(template, fragments, kept), kept, frame)


def _negative(text: str) -> str:
    """The text of minus a shift."""
    if text.startswith("-") and text[1:].isdigit():
        return text[1:]
    return f"-{text}" if text.isidentifier() or text.isdigit() else f"-({text})"
