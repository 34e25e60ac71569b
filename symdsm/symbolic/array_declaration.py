"""What every declaration in index notation has: its arrays, its parameters, and equality by what was declared."""

from dataclasses import dataclass

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.indexed import IndexedDensity

__all__ = ["ArrayDeclaration", "own_level"]


@dataclass(frozen=True, eq=False)
class ArrayDeclaration:
    """`density` is the normal form, `source` what was declared; the final classes add where the noisy array lives."""

    density: IndexedDensity
    level: sp.Symbol | None
    source: tuple

    @property
    def event_ndim(self) -> int:
        return self.density.event_ndim

    @property
    def noisy(self):
        return self.density.restore(self.density.noisy)

    @property
    def clean(self):
        return self.density.restore(self.density.clean)

    @property
    def params(self) -> tuple:
        """Scalars and arrays, sorted by name; sizes are read from the arrays and are none of them."""
        own = [*self.density.scalar_params, *self.density.array_params]
        return tuple(sorted((self.density.restore(p) for p in own), key=str))

    @property
    def sizes(self) -> tuple[sp.Symbol, ...]:
        """The symbols of the lengths of the axes."""
        return tuple(sorted(map(self.density.restore, self.density.sizes), key=str))

    @property
    def log_density(self) -> sp.Expr:
        return self.density.restore(self.density.expr)

    @property
    def computed(self) -> IndexedDensity:
        """The density as code should compute it."""
        return self.density

    def __eq__(self, other):
        return type(other) is type(self) and self.source == other.source

    def __hash__(self):
        return hash(self.source)


def own_level(density: IndexedDensity, level: sp.Symbol | None) -> sp.Symbol | None:
    """The level in the symbols of the normal form. Raises DeclarationError when it is no scalar parameter."""
    if level is None:
        return None
    if density.own(level) not in density.scalar_params:
        names = ", ".join(map(str, (*density.scalar_params, *density.array_params))) or "none"
        raise DeclarationError(
            given=f"level={level}, which is none of the kernel's scalar parameters ({names})",
            expected="the noise level among the kernel's scalar parameters",
            fix="pass the symbol that sets the amount of noise, level=...",
        )
    return density.own(level)
