"""One verdict on a posterior: trust, look, do not trust.

Chains can agree with each other and be wrong together. So ArviZ's checks of convergence (rank-normalised R-hat, bulk
and tail effective sample size, Monte Carlo error, divergences: Vehtari et al. 2021, arXiv:1903.08008) are joined by
two of our own for learned densities: typicality (`typicality.py`), and whether each chain came down from noise.

Each check has two thresholds. Within the first it is passed; beyond the second the posterior is not to be trusted;
between them somebody should look. The verdict is that of the worst check.

    R-hat            1.05, 1.20    the largest over all entries of all variables; one entry alone would get 1.01
    ESS, bulk, tail  100, 10       the smallest; a mean is then known to a tenth of its sd
    MCSE / sd        0.10, 0.50    the largest; a tenth of the sd, as for the ESS
    divergences      0.005, 0.05   share of the draws
    typicality       0.01, 0.001   median tail probability of the worst chain
    level travel     1, 0.5        descents from the upper half of the levels to the lowest one, least over chains

A run at a fixed level has no travel to show. Its chains may be right, but nothing tells whether they know all modes:
somebody should look.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from symdsm.diagnostics.typicality import typicality
from symdsm.errors import DataError

__all__ = ["Diagnosis", "diagnose"]

VERDICTS = ("trust", "look", "do not trust")


@dataclass(frozen=True)
class Diagnosis:
    """`verdict`, the reasons for it in sentences, and the table of checks; printing it says why."""

    verdict: str
    reasons: tuple[str, ...]
    table: pd.DataFrame = field(repr=False)

    def __str__(self):
        head = {"trust": "trust: every check is passed"}.get(self.verdict, self.verdict)
        return "\n".join([head, *(f"  - {reason}" for reason in self.reasons)])

    def to_html(self, path: str | Path) -> Path:
        """Write verdict, reasons and table as one self-contained page; returns its path."""
        from symdsm.diagnostics.page import write

        return write(path, title="Diagnosis", verdict=self.verdict, reasons=self.reasons, table=self.table)


@dataclass(frozen=True)
class Check:
    """One row: `value` is fine up to `threshold`, hopeless beyond `limit`; `rising` says that larger is better."""

    name: str
    value: float
    threshold: float
    limit: float
    advice: str
    rising: bool = False

    @property
    def severity(self) -> int:
        """0 passed, 1 to be looked at, 2 not to be trusted; a value that is not a number is the worst."""
        if np.isnan(self.value):
            return 2
        sign = -1.0 if self.rising else 1.0
        return int(sign * self.value > sign * self.threshold) + int(sign * self.value > sign * self.limit)


def diagnose(posterior: xr.DataTree, *, program: Callable | None = None, fit=None) -> Diagnosis:
    """Judge what `sd.sample` returned, or any DataTree with a `posterior` group of named chains and draws.

    `fit` is the fit behind the program's learned prior, or a mapping from site names to fits; it is needed for the
    check of typicality. `program` names the diagnosis. Raises `DataError` for a posterior without draws.
    """
    draws = posterior["posterior"].to_dataset() if "posterior" in posterior.children else None
    if draws is None or draws.sizes.get("draw", 0) < 4:
        raise DataError(
            given="a tree without a posterior of at least 4 draws",
            expected="what sd.sample returns: groups posterior and sample_stats",
            fix="draw again with more draws",
        )
    learned = list(posterior.attrs.get("learned_sites", []))
    fits = fit if isinstance(fit, dict) else {name: fit for name in learned if fit is not None}
    checks = [
        *_convergence(draws),
        *_divergences(posterior),
        *(_typical(name, draws[name], one) for name, one in fits.items()),
        *(_travel(posterior) if learned else ()),
    ]
    severity = max(check.severity for check in checks)
    notes = _notes(posterior, learned, fits)
    if notes:
        severity = max(severity, 1)
    reasons = [f"{c.name} is {c.value:.3g}, {_bound(c)}: {c.advice}" for c in checks if c.severity]
    return Diagnosis(VERDICTS[severity], (*reasons, *notes), _table(checks, program))


def _bound(check):
    return f"wanted at {'least' if check.rising else 'most'} {check.threshold:g}"


def _table(checks, program):
    rows = {
        "check": [c.name for c in checks],
        "value": [c.value for c in checks],
        "threshold": [c.threshold for c in checks],
        "ok": [c.severity == 0 for c in checks],
        "advice": ["" if c.severity == 0 else c.advice for c in checks],
    }
    return pd.DataFrame(rows).rename_axis(getattr(program, "__name__", None))


def _extreme(dataset, worst):
    """The worst value over all entries of all variables; entries that never move (sd 0) have none."""
    values = np.concatenate([np.ravel(dataset[name].to_numpy()) for name in dataset.data_vars])
    values = values[np.isfinite(values)]
    return float(worst(values)) if values.size else float("nan")


def _convergence(draws):
    moving = draws.std(("chain", "draw"))
    longer = "draw more, or warm up longer"
    error = az.mcse(draws) / moving.where(moving > 0)
    checks = [
        Check("R-hat", _extreme(az.rhat(draws), np.max), 1.05, 1.2, f"the chains disagree; {longer}"),
        Check("ESS bulk", _extreme(az.ess(draws), np.min), 100.0, 10.0, f"few independent draws; {longer}", True),
        Check("ESS tail", _extreme(az.ess(draws, method="tail"), np.min), 100.0, 10.0, f"rough tails; {longer}", True),
        Check("MCSE / sd", _extreme(error, np.max), 0.1, 0.5, f"means are uncertain; {longer}"),
    ]
    return checks[1:] if draws.sizes["chain"] == 1 else checks


def _divergences(posterior):
    if "sample_stats" not in posterior.children or "diverging" not in posterior["sample_stats"]:
        return []
    share = float(posterior["sample_stats"]["diverging"].mean())
    return [Check("divergences", share, 0.005, 0.05, "the sampler cannot follow the density; check the fit's energy")]


def _typical(name, draws, fit):
    draws = draws.transpose("chain", "draw", ...).to_numpy()
    batch = draws.ndim - 2 - len(fit.event_shape)
    if batch:
        draws = np.moveaxis(draws.reshape(*draws.shape[:2], -1, *fit.event_shape), 2, 1)
        draws = draws.reshape(-1, *draws.shape[2:])
    worst = float(typicality(fit, draws).p_value.min())
    advice = "the draws do not look like noised data; sample with the level (method='tempered') or train longer"
    return Check(f"typicality of {name}", worst, 0.01, 0.001, advice, True)


def _travel(posterior):
    """Descents from the upper half of the levels to the lowest, fewest over the chains; none at a fixed level."""
    if "levels" not in posterior.children:
        advice = "the chains stayed at one level, so modes that they never saw cannot show; use method='tempered'"
        return [Check("level travel", 0.0, 1.0, 0.0, advice, True)]
    track = posterior["levels"]["track"].transpose("chain", "iteration").to_numpy()
    descents = min(_descents(chain) for chain in track)
    return [Check("level travel", float(descents), 1.0, 0.5, "a chain did not come down from noise; draw longer", True)]


def _descents(path):
    side = np.where(path <= 0, -1, np.where(path > 0.5, 1, 0))
    side = side[side != 0]
    return int(np.sum((side[:-1] == 1) & (side[1:] == -1)))


def _notes(posterior, learned, fits):
    notes = []
    if posterior.attrs.get("partial"):
        notes.append("the run was interrupted; these are the draws made so far")
    if set(learned) - set(fits):
        notes.append(f"typicality was not checked at {', '.join(learned)}; pass fit=")
    return notes
