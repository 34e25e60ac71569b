"""One verdict on a posterior: trust, look, do not trust.

Chains can agree with each other and be wrong together. So ArviZ's checks of convergence (rank-normalised R-hat, bulk
and tail effective sample size, Monte Carlo error: Vehtari et al. 2021, arXiv:1903.08008; divergences, E-BFMI) are
joined by our own for learned densities:

    typicality.py     do draws look like noised data where the energy was learned?
    fitness.py        does the network fit its data, held-out data too; does it copy; is its score a gradient?
    consistency.py    do the data look as the program says, and as its prior says; do draws follow their density; do
                      chains, descents, levels and other fits agree?

Each check has two thresholds. Within the first it is passed; beyond the second the posterior is not to be trusted;
between them somebody should look. The verdict is that of the worst check. The thresholds were fixed on runs that are
good or bad by construction, and tried on others (`python -m benchmarks.diagnosis`).

A run at a fixed level has no travel to show. Its chains may be right, but nothing tells whether they know all modes:
somebody should look.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from jaxtyping import ArrayLike

from symdsm.diagnostics import consistency
from symdsm.diagnostics.checks import Check, convergence, divergences, energy_moves, table
from symdsm.diagnostics.fitness import fit_checks
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
    posterior: xr.DataTree = field(repr=False, compare=False)

    def __str__(self):
        head = {"trust": "trust: every check is passed"}.get(self.verdict, self.verdict)
        return "\n".join([head, *(f"  - {reason}" for reason in self.reasons)])

    def to_html(self, path: str | Path, *, title: str = "Can this posterior be trusted?") -> Path:
        """Write verdict, reasons, pictures and table as one self-contained page; returns its path."""
        from symdsm.diagnostics.posterior_page import write_page

        return write_page(path, self, title)


def diagnose(
    posterior: xr.DataTree,
    *,
    program: Callable | None = None,
    fit=None,
    held_out: ArrayLike | None = None,
    others: Mapping[str, xr.DataTree] | None = None,
) -> Diagnosis:
    """Judge what `sd.sample` returned, or any DataTree with a `posterior` group of named chains and draws.

    `fit` is the fit behind the program's learned prior, or a mapping from site names to fits; it is needed for the
    checks of typicality and of the fit. `held_out` are clean data that it was not trained on, (n, *event_shape), or a
    mapping likewise. `others` are posteriors of the same program and data under other fits, by name. `program` names
    the diagnosis. Raises `DataError` for a posterior without draws.
    """
    draws = posterior["posterior"].to_dataset() if "posterior" in posterior.children else None
    if draws is None or draws.sizes.get("draw", 0) < 4:
        raise DataError(
            given="a tree without a posterior of at least 4 draws",
            expected="what sd.sample returns: groups posterior and sample_stats",
            fix="draw again with more draws",
        )
    learned = list(posterior.attrs.get("learned_sites", []))
    fits = fit if isinstance(fit, Mapping) else {name: fit for name in learned if fit is not None}
    clean = held_out if isinstance(held_out, Mapping) else dict.fromkeys(fits, held_out)
    finite = all(np.isfinite(draws[name]).all() for name in draws.data_vars)
    checks = [
        *convergence(draws),
        *divergences(posterior),
        *energy_moves(posterior),
        *consistency.likelihood(posterior),
        *consistency.prior(posterior),
        *(consistency.stein(posterior, draws) if finite else ()),
        *consistency.other_fits(draws, others or {}),
    ]
    for name, one in fits.items():
        values = _events(draws[name], one)
        checks += [_typical(name, values, one), *fit_checks(name, one, values, clean.get(name))]
    if learned:
        checks += [*consistency.descents(posterior, draws), *consistency.travel(posterior)]
        for name in learned:
            checks += consistency.lowest_level(posterior, name, draws[name].transpose("chain", "draw", ...).to_numpy())
    severity = max(check.severity for check in checks)
    notes = _notes(posterior, learned, fits)
    if notes:
        severity = max(severity, 1)
    reasons = [check.reason for check in sorted(checks, key=lambda c: -c.severity) if check.severity]
    name = getattr(program, "__name__", None)
    return Diagnosis(VERDICTS[severity], (*reasons, *notes), table(checks, name), posterior)


def _events(draws, fit):
    """Draws of a site as (chain, draw, *event), those of a batch one after the other."""
    values = draws.transpose("chain", "draw", ...).to_numpy()
    if values.ndim - 2 > len(fit.event_shape):
        values = np.moveaxis(values.reshape(*values.shape[:2], -1, *fit.event_shape), 2, 1)
        values = values.reshape(-1, *values.shape[2:])
    return values


def _typical(name, draws, fit):
    worst = float(typicality(fit, draws).p_value.min())
    advice = "the draws do not look like noised data; sample with the level (method='tempered') or train longer"
    why = "median tail probability of the worst chain; half of it lies in the outermost hundredth"
    return Check(f"typicality of {name}", worst, 0.01, 0.001, why, advice, True, worst)


def _notes(posterior, learned, fits):
    notes = []
    if posterior.attrs.get("partial"):
        notes.append("the run was interrupted; these are the draws made so far")
    if set(learned) - set(fits):
        notes.append(f"typicality was not checked at {', '.join(learned)}; pass fit=")
    return notes
