"""A noise kernel p(y | x), declared once.

y is the noisy value, x the clean one, every other symbol a parameter; one parameter may be the noise level. A
declaration holds what everything else is derived from:

    log p(y | x)   on the support, exact, in stable nodes (symbolic/nodes.py)
    inside         a Boolean in y (and x, parameters): is y in the support?
    noise          y = g(x, e), e ~ f, when the randomness was declared: then samples and targets come from e itself
    requires       what the declared distribution asks of x and the parameters (symbolic/conditions.py)

The constructors are in symbolic/constructors.py; a declaration never changes.
"""

from dataclasses import dataclass, field

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.diffusion import Transition
from symdsm.symbolic.nodes import plain

__all__ = ["Declaration", "Noise", "check_symbols", "parameters"]


@dataclass(frozen=True)
class Noise:
    """y = map(x, variable); the variable has `log_density` on `support` and is drawn as `draw` says (or None)."""

    variable: sp.Symbol
    map: sp.Expr
    log_density: sp.Expr
    support: sp.Set
    draw: sp.Expr | None
    monotone: bool


@dataclass(frozen=True)
class Declaration:
    """A scalar kernel: the same noise on every entry of an array."""

    noisy: sp.Symbol
    clean: sp.Symbol
    log_density: sp.Expr
    support: sp.Set
    inside: sp.Basic
    anchor: sp.Expr | None
    level: sp.Symbol | None = None
    normalised: bool | None = None
    noise: Noise | None = None
    period: sp.Expr | None = None
    parts: tuple[tuple["Declaration", sp.Expr], ...] = ()
    transition: Transition | None = None
    requires: sp.Basic = sp.true
    source: tuple = field(default=(), compare=False)

    event_ndim = 0

    @property
    def params(self) -> tuple[sp.Symbol, ...]:
        """The free symbols besides y and x, sorted by name; the level is one of them."""
        free = self.log_density.free_symbols | self.inside.free_symbols
        if self.noise is not None:
            free |= self.noise.map.free_symbols - {self.noise.variable}
        if self.level is not None:
            free |= {self.level}
        return parameters(free, self.noisy, self.clean)

    @property
    def plain_log_density(self) -> sp.Expr:
        """log p(y | x) in ordinary SymPy functions, for people."""
        return plain(self.log_density)


def parameters(free: set, *others: sp.Basic) -> tuple[sp.Symbol, ...]:
    names = {str(o) for o in others}
    return tuple(sorted((s for s in free if s.name not in names), key=lambda s: s.name))


def check_symbols(expression: sp.Basic, clean: sp.Symbol, level: sp.Symbol | None, noisy=None) -> None:
    """The clean symbol occurs, the level occurs, and no name stands for two symbols."""
    free = expression.free_symbols | ({noisy} if noisy is not None else set())
    by_name: dict[str, sp.Symbol] = {}
    for symbol in sorted(free | {clean} | ({level} if level is not None else set()), key=sp.default_sort_key):
        other = by_name.setdefault(symbol.name, symbol)
        if other != symbol:
            raise DeclarationError(
                given=f"two different symbols that are both called {symbol.name!r}: "
                f"{_describe(other)} and {_describe(symbol)}",
                expected="one symbol per name, with one set of assumptions",
                fix=f"create {symbol.name} once and use that object everywhere",
            )
    names = ", ".join(sorted(s.name for s in free)) or "none"
    if clean not in free:
        raise DeclarationError(
            given=f"clean={clean}, which does not occur in {expression} (its symbols: {names})",
            expected="the clean symbol somewhere in the kernel",
            fix="pass the symbol that stands for the clean value, clean=...; a law without it can be a part of "
            "Kernel.mixture({kernel: 1 - w, law: w})",
        )
    if level is not None and level not in free:
        raise DeclarationError(
            given=f"level={level}, which does not occur in {expression} (its symbols: {names})",
            expected="the noise level among the kernel's parameters",
            fix="pass the parameter that sets the amount of noise, level=...",
        )
    if level is not None and level == clean:
        raise DeclarationError(
            given=f"{level} as the clean symbol and as the level",
            expected="two different symbols",
            fix="pass the parameter that sets the amount of noise as level=...",
        )


def _describe(symbol: sp.Symbol) -> str:
    assumptions = ", ".join(f"{k}={v}" for k, v in sorted(symbol._assumptions_orig.items()))
    return f"Symbol({symbol.name!r}{', ' + assumptions if assumptions else ''})"
