"""Fragments over arrays to lines of Python.

Subexpressions that occur twice get a name (`residual` for y - x, t0, t1, ... otherwise), whichever their sign;
operations used once are written where they are used, as long as the line stays short. The order is that of first
use, so the same density gives the same bytes.
"""

import sympy as sp

from symdsm.codegen.arrays_lower import Lowering, Operation
from symdsm.codegen.printer import JaxPrinter

__all__ = ["Lines"]

_WIDTH = 88


class Lines:
    """Collects the statements of one function body."""

    def __init__(self, lowering: Lowering, taken: set):
        self.lowering, self.taken = lowering, set(taken)
        self.out: list[str] = []
        self._names: dict = {}  # shared subexpression -> symbol
        self._texts: dict = {}  # symbol -> text
        self._bound: dict = {}  # number of an operation -> name or text, and whether it is an atom
        self._count: dict = {}
        self._uses: dict = {}

    def prepare(self, results):
        """Count what the results need; must come before any text is asked for."""
        self._reach(results)
        return self

    def text(self, fragment, parenthesise=False) -> str:
        """The fragment as Python; statements that it needs are appended to `out` first."""
        reduced = self._shared(fragment)
        names = {s: self._leaf(s) for s in sorted(reduced.free_symbols, key=str)}
        text, binding = JaxPrinter(names)._print(reduced)
        return f"({text})" if parenthesise and binding > 0 else text

    def name(self, wanted):
        name, k = wanted, 0
        while name in self.taken:
            name, k = f"{wanted.rstrip('0') if wanted == 't0' else wanted}{k}", k + 1
        self.taken.add(name)
        return name

    # ---- counting -----------------------------------------------------------------------------------------------

    def _reach(self, fragments):
        for fragment in fragments:
            self._tally(fragment)

    def _tally(self, e):
        if not e.args:
            self._use(e)
            return
        e, _ = self._signed(e)
        self._count[e] = self._count.get(e, 0) + 1
        if self._count[e] == 1 or _is_small(e):
            for child in _children(e):
                self._tally(child)

    def _use(self, symbol):
        leaf = self.lowering.leaves.get(symbol)
        if leaf is None or isinstance(leaf.source, str):
            return
        number = leaf.source.number
        self._uses[number] = self._uses.get(number, 0) + 1
        if self._uses[number] == 1:
            self._reach(leaf.source.fragments)

    def _signed(self, e):
        """(plain form, number) of a sum, so that a - b, b - a and 2 a - 2 b are one."""
        if not e.is_Add:
            return e, sp.S.One
        content = sp.S.One
        if all(len(t.as_coeff_Mul()[1].args) == 0 for t in e.args):
            content, e = e.primitive()
        noisy = [t for t in e.args if self._is_noisy(t) or self._is_noisy(-t)]
        flip = self._is_noisy(-noisy[0]) if len(noisy) == 1 else e.could_extract_minus_sign()
        return (sp.Add(*(-t for t in e.args)), -content) if flip else (e, content)

    def _is_noisy(self, term):
        leaf = self.lowering.leaves.get(term)
        return leaf is not None and leaf.source == self.lowering.names[self.lowering.density.noisy]

    # ---- naming -------------------------------------------------------------------------------------------------

    def _shared(self, e):
        """e with names in place of what is used more than once."""
        if not e.args:
            return e
        key, sign = self._signed(e)
        if self._count.get(key, 0) > 1 and not _is_small(key):
            if key not in self._names:
                body = self._inside(key)
                symbol = sp.Symbol(f"@{len(self._names)}", real=True)
                self._names[key] = symbol
                value = JaxPrinter({s: self._leaf(s) for s in sorted(body.free_symbols, key=str)}).doprint(body)
                self._texts[symbol] = self.name(self._meaning(key))
                self.out.append(f"{self._texts[symbol]} = {value}")
            return sign * self._names[key]
        if sign not in (1, -1):
            inside = self._inside(key)
            symbol = sp.Symbol(f"@@{len(self._texts)}", real=True)
            names = {s: self._leaf(s) for s in sorted(inside.free_symbols, key=str)}
            self._texts[symbol] = f"({JaxPrinter(names).doprint(inside)})"
            return sign * symbol
        return self._inside(e)

    def _inside(self, e):
        if e.is_Mul and e.args[0].is_Number and len(e.args) > 2:
            rest = self._shared(sp.Mul(*e.args[1:]))
            return sp.Mul(e.args[0], rest, evaluate=not rest.is_Add)
        if isinstance(e, sp.Piecewise):
            pairs = [(self._shared(v), self._shared(c)) for v, c in e.args]
            return sp.Piecewise(*pairs, evaluate=False)
        args = [self._shared(a) for a in e.args]
        keep = e.is_Pow and isinstance(args[0], sp.Piecewise)  # SymPy would pull the branches out of the power
        return sp.Pow(*args, evaluate=False) if keep else e.func(*args)

    def _meaning(self, e):
        names = self.lowering.names
        density = self.lowering.density
        if e.is_Add and density.clean in names:
            y, x = sp.Symbol(names[density.noisy], real=True), sp.Symbol(names[density.clean], real=True)
            if e == y - x:
                return "residual"
        return "t0"

    # ---- leaves and operations ----------------------------------------------------------------------------------

    def _leaf(self, symbol):
        if symbol in self._texts:
            return self._texts[symbol]
        leaf = self.lowering.leaves.get(symbol)
        if leaf is None:
            return symbol.name
        if isinstance(leaf.source, Operation):
            text = self._operation(leaf.source)
            return text + leaf.suffix
        return leaf.source + leaf.suffix

    def _operation(self, operation):
        if operation.number in self._bound:
            return self._bound[operation.number]
        fields = {}
        for k, fragment in enumerate(operation.fragments):
            plain, safe = f"{{{k}}}", f"{{p{k}}}"
            if safe in operation.template:
                fields[f"p{k}"] = self.text(fragment, parenthesise=True)
            fields.setdefault(str(k), self.text(fragment) if plain in operation.template else "")
        text = operation.template
        for key, value in fields.items():
            text = text.replace(f"{{{key}}}", value)
        if text.isidentifier():
            self._bound[operation.number] = text
        elif self._uses.get(operation.number, 0) <= 1 and len(text) < _WIDTH * 2 // 3:
            self._bound[operation.number] = text if operation.is_call else f"({text})"
        else:
            name = self.name(self._meaning(operation.fragments[0]) if operation.template == "{0}" else "t0")
            self.out.append(f"{name} = {text}")
            self._bound[operation.number] = name
        return self._bound[operation.number]


def _children(e):
    if e.is_Mul and e.args[0].is_Number and len(e.args) > 2:
        return (sp.Mul(*e.args[1:]),)
    if e.is_Pow and e.exp in (2, 3, -2, -3):
        return (e.base, e.base)
    if isinstance(e, sp.Piecewise):
        return tuple(a for pair in e.args for a in pair)
    return e.args


def _is_small(e):
    """Not worth a name: a number times a symbol, a power of a symbol, a comparison of two."""
    if isinstance(e, (sp.core.relational.Relational, sp.logic.boolalg.BooleanFunction)):
        return True
    if e.is_Mul:
        return len(e.args) == 2 and e.args[0].is_Number and not e.args[1].args
    return e.is_Pow and not e.base.args and e.exp.is_Integer and abs(e.exp) <= 3
