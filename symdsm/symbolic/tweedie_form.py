"""What the marginal score tells about the clean value, as a value: see symbolic/tweedie.py."""

from dataclasses import dataclass

import sympy as sp

from symdsm.symbolic.nodes import plain

__all__ = ["Tweedie", "free_name"]


_READABLE = 80


@dataclass(frozen=True)
class Tweedie:
    """E[statistic | y] = mean, where `score` stands for l = d/dy log q(y) in `mean`.

    A denoiser has an empty `reason` and a statistic of the clean value alone; `estimate` is then the clean value whose
    statistic is `mean` (E[x | y] when the statistic is x, else not), or None when the statistic is not one to one; it
    may ask for a `condition` on the clean values.
    Otherwise `reason` says why there is none; the statistic, when there is one, holds the noisy value too.
    """

    score: sp.Basic | dict
    statistic: sp.Basic | dict | None = None
    mean: sp.Basic | dict | None = None
    estimate: sp.Basic | dict | None = None
    reason: str = ""
    condition: str = ""

    @property
    def denoises(self) -> bool:
        return not self.reason

    def __str__(self) -> str:
        """One sentence, without its full stop."""
        if not self.denoises:
            return f"none; {self.reason}"
        formula = plain(self.mean)
        shown = f"= {formula}" if sp.count_ops(formula) < _READABLE else "is known"
        score = ", ".join(map(str, self.score)) if isinstance(self.score, sp.MatrixBase) else self.score
        means = f"E[{plain(self.statistic)} | y] {shown}, in the marginal score {score}"
        if self.condition:
            means += f", for {self.condition}"
        if self.estimate is None or self.estimate == self.mean:
            return means
        return f"{means}; the clean value at which {plain(self.statistic)} is this mean is an estimate, not E[x | y]"


def free_name(taken: set[str], name: str = "l") -> str:
    """`name`, or the first of name_q, name_qq, .. that is not taken."""
    while name in taken:
        name += "q" if "_" in name else "_q"
    return name
