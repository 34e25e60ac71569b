"""The proof's part that vector SDEs and joint laws share: the noisy value is a short column of symbols."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import sympy as sp

from symdsm.symbolic import derive
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.probe import numeric
from symdsm.symbolic.proof_arrays import ArraySubject
from symdsm.symbolic.tweedie import Tweedie

__all__ = ["ColumnSubject"]


@dataclass
class ColumnSubject(ArraySubject):
    """Numbers of expressions in the symbols of the noisy and the clean column; `given` maps the parameters."""

    @property
    @abstractmethod
    def clean_symbols(self) -> tuple[sp.Symbol, ...]:
        """The clean value's symbols."""

    @property
    def y(self) -> str:
        return "y"

    @property
    def x(self) -> str:
        symbols = self.clean_symbols
        return self.tex(symbols[0]) if len(symbols) == 1 else "x"

    @cached_property
    def symbols(self) -> list[sp.Symbol]:
        return [*self.declaration.noisy_symbols, *self.clean_symbols, *self.declaration.params]

    def value(self, expr: sp.Expr, y, x, given: Mapping, more: Mapping | None = None) -> float:
        more = {} if more is None else more
        key = (expr, tuple(more))
        if key not in self._compiled:
            self._compiled[key] = numeric(expr, [*self.symbols, *more])
        ordered = [given[s] for s in self.declaration.params]
        return float(self._compiled[key](*map(float, (*y, *x, *ordered, *more.values()))))

    @cached_property
    def _compiled(self) -> dict:
        return {}

    def score_at(self, y, x, given) -> np.ndarray:
        return np.array([self.value(e, y, x, given) for e in self.score])

    @cached_property
    def score(self) -> sp.MatrixBase:
        return derive.score(self.declaration).applyfunc(derive.readable)

    def at_level(self, given: Mapping, h: float) -> tuple[dict, float]:
        level = self.declaration.level
        moved = given[level] * float(np.exp(h))
        return {**given, level: moved}, moved

    def marginal(self, found: Tweedie) -> str:
        return "l"

    def statistic(self, found: Tweedie) -> sp.Basic:
        return sp.Symbol(self.x) if isinstance(found.statistic, sp.MatrixBase) else found.statistic

    def statistic_at(self, found: Tweedie, y, x, given) -> np.ndarray:
        return np.array([self.value(e, y, x, given) for e in _entries(found.statistic)])

    def mean_at(self, found: Tweedie, y, l, given) -> np.ndarray:  # noqa: E741
        """The formula at the marginal score l; it does not hold the clean value."""
        more = dict(zip(found.score, map(float, l), strict=True))
        nowhere = np.full(len(self.clean_symbols), np.nan)
        return np.array([self.value(plain(e), y, nowhere, given, more) for e in _entries(found.mean)])

    def denoiser_formula(self, found: Tweedie) -> list:
        """One line for each clean coordinate."""
        out: list = []
        for statistic, mean in zip(_entries(found.statistic), _entries(found.mean), strict=True):
            left = rf"\mathbb{{E}}\bigl[{self.tex(statistic)} \mid {self.y}\bigr]"
            out += self.formula("the denoiser", left, derive.readable(mean), lambda: self.denoiser_sides(found))
        return out


def _entries(column: sp.Basic) -> list[sp.Expr]:
    return list(column) if isinstance(column, sp.MatrixBase) else [column]
