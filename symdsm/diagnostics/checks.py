"""One row of a diagnosis, and the rows that ArviZ gives.

A check has a value, a `threshold` up to which it is passed and a `limit` beyond which the posterior is not to be
trusted; between the two somebody should look. `why` is the reason for the two numbers. `p_value` stands where the value
has a null distribution.

    R-hat            1.05, 1.20    the largest over all entries of all variables; one entry alone would get 1.01
    ESS, bulk, tail  100, 10       the smallest; a mean is then known to a tenth of its sd
    MCSE / sd        0.10, 0.50    the largest; a tenth of the sd, as for the ESS
    divergences      0.005, 0.05   share of the draws
    E-BFMI           0.3, 0.1      the energy moves too little at each draw (Betancourt 2016, arXiv:1604.00695)
"""

from dataclasses import dataclass

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

__all__ = ["Check", "convergence", "distances", "divergences", "energy_moves", "mean_shift", "table", "worst_entry"]


@dataclass(frozen=True)
class Check:
    """One row: `value` is fine up to `threshold`, hopeless beyond `limit`; `rising` says that larger is better."""

    name: str
    value: float
    threshold: float
    limit: float
    why: str
    advice: str
    rising: bool = False
    p_value: float = float("nan")

    @property
    def severity(self) -> int:
        """0 passed, 1 to be looked at, 2 not to be trusted; a value that is not a number is the worst."""
        if np.isnan(self.value):
            return 2
        sign = -1.0 if self.rising else 1.0
        return int(sign * self.value > sign * self.threshold) + int(sign * self.value > sign * self.limit)

    @property
    def reason(self) -> str:
        """The row as a sentence."""
        bound = f"wanted at {'least' if self.rising else 'most'} {self.threshold:g}"
        return f"{self.name} is {self.value:.3g}, {bound}: {self.advice}"


def table(checks: list[Check], name: str | None) -> pd.DataFrame:
    """The checks as a data frame, one row each."""
    rows = {
        "check": [c.name for c in checks],
        "value": [c.value for c in checks],
        "threshold": [c.threshold for c in checks],
        "limit": [c.limit for c in checks],
        "p_value": [c.p_value for c in checks],
        "ok": [c.severity == 0 for c in checks],
        "advice": ["" if c.severity == 0 else c.advice for c in checks],
        "why": [c.why for c in checks],
    }
    return pd.DataFrame(rows).rename_axis(name)


def worst_entry(dataset: xr.Dataset, worst) -> float:
    """The worst value over all entries of all variables; entries that never move (sd 0) have none."""
    values = np.concatenate([np.ravel(dataset[name].to_numpy()) for name in dataset.data_vars])
    values = values[np.isfinite(values)]
    return float(worst(values)) if values.size else float("nan")


def convergence(draws: xr.Dataset) -> list[Check]:
    """R-hat, effective sizes and Monte Carlo errors of a dataset (chain, draw, ...)."""
    moving = draws.std(("chain", "draw"))
    longer = "draw more, or warm up longer"
    tenth = "a mean is known to a tenth of its sd at 100"
    checks = [
        Check(
            "R-hat",
            worst_entry(az.rhat(draws), np.max),
            1.05,
            1.2,
            "the largest of many; one entry alone would get 1.01",
            f"the chains disagree; {longer}",
        ),
        Check(
            "ESS bulk",
            worst_entry(az.ess(draws), np.min),
            100.0,
            10.0,
            tenth,
            f"few independent draws; {longer}",
            True,
        ),
        Check(
            "ESS tail",
            worst_entry(az.ess(draws, method="tail"), np.min),
            100.0,
            10.0,
            tenth,
            f"rough tails; {longer}",
            True,
        ),
        Check(
            "MCSE / sd",
            worst_entry(az.mcse(draws) / moving.where(moving > 0), np.max),
            0.1,
            0.5,
            "1 / sqrt(ESS)",
            f"means are uncertain; {longer}",
        ),
    ]
    return checks[1:] if draws.sizes["chain"] == 1 else checks


def divergences(posterior: xr.DataTree) -> list[Check]:
    """The share of draws whose energy was not conserved."""
    if "sample_stats" not in posterior.children or "diverging" not in posterior["sample_stats"]:
        return []
    share = float(posterior["sample_stats"]["diverging"].mean())
    why = "a few in a thousand come from steps at the edge of stability"
    return [
        Check("divergences", share, 0.005, 0.05, why, "the sampler cannot follow the density; check the fit's energy")
    ]


def energy_moves(posterior: xr.DataTree) -> list[Check]:
    """E-BFMI of the worst chain: E[(E_n - E_{n-1})^2] / Var E, over draws, or all sweeps where the level moves."""
    if "levels" in posterior.children and "energy" in posterior["levels"]:
        energy = posterior["levels"]["energy"].transpose("chain", ...).to_numpy()
    elif "sample_stats" in posterior.children and "energy" in posterior["sample_stats"]:
        energy = posterior["sample_stats"]["energy"].transpose("chain", "draw").to_numpy()
    else:
        return []
    value = float(np.min(np.mean(np.diff(energy, axis=1) ** 2, 1) / np.var(energy, axis=1)))
    return [
        Check(
            "E-BFMI",
            value,
            0.3,
            0.1,
            "below 0.3 momentum refreshment explores energies slowly (Betancourt 2016)",
            "heavy tails or narrow necks: draw more, or reparametrise",
            True,
        )
    ]


def mean_shift(one: np.ndarray, other: np.ndarray) -> float:
    """Root mean square over entries of (difference of means / sd), Monte Carlo error taken off; (chain, draw, ...)."""
    a, b = one.reshape(*one.shape[:2], -1), other.reshape(*other.shape[:2], -1)
    sd = a.std((0, 1))
    moving = sd > 0
    error = sum(v[..., moving].var((0, 1)) / np.maximum(_sizes(v[..., moving]), 1.0) for v in (a, b))
    square = ((a.mean((0, 1)) - b.mean((0, 1)))[moving] ** 2 - error) / sd[moving] ** 2
    return float(np.sqrt(max(square.mean(), 0.0))) if moving.any() else 0.0


def distances(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Of points (n, d) to others (m, d): (n, m)."""
    square = (points**2).sum(1)[:, None] + (others**2).sum(1) - 2 * points @ others.T
    return np.sqrt(np.maximum(square, 0.0))


def _sizes(x):
    return np.array([float(az.ess(x[..., i])) for i in range(x.shape[-1])])
