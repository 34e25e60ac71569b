r"""Does the posterior agree with its data, its levels, and other ways to reach it?

**Likelihood.** At each draw the log likelihood of the data is held against that of data drawn anew. The share of draws
with the data's below is a posterior predictive p-value (Gelman, Meng & Stern 1996): near 0 the data do not look as the
program says they do (wrong noise, or a prior that excludes them), near 1 they are too good. It is conservative.

**Prior.** A prior in conflict with the data shows before they move the latents (Box 1980, J. R. Stat. Soc. A 143). With
m the density of the data under the prior, the prior predictive p-value

    P(m(y_new) <= m(y)),      y_new drawn from the prior predictive law,

is uniform where the data follow the program, and near 0 where the program hardly ever makes such data. A likelihood
that is wrong lowers it too; where the check of the likelihood is passed, it is a conflict (Evans & Moshonov 2006,
Bayesian Analysis 1, part the two by the density of a sufficient statistic, which programs here seldom have). In the
group `prior_fit` m is a mean over a few prior draws: the rank is exact all the same, and only power is lost. An energy
was trained on noised draws of its prior, so data in conflict also put the posterior where nobody trained.

**Stein.** `stein.py`, on the draws and gradients that `sd.sample` leaves in the group `diagnosis`.

**Descents.** Walkers that came down from noise on their own should end where draws are. A walker is apart when it is
nearer to another walker than to any draw, and further from all draws than 99% of the draws are from the others.
Distances are in units of the draws' sds, among draws thinned to their effective number. Were walkers and draws of one
law, at most about one walker in a hundred would be apart, in any dimension, a tenth too narrow or too wide or not. With
5 of 16 apart, at least 0.11 of what descents reach holds no chain (Clopper & Pearson 1934, at 97.5%).

**Lowest level.** Draws from the lowest tenth of the levels above the lowest one should have about the same mean.

**Other fits.** Posteriors of the same program with other fits (other training seeds) should have the same mean.

**Level travel.** Descents from the upper half of the levels to the lowest one, least over chains.
"""

from collections.abc import Mapping

import arviz as az
import numpy as np
import xarray as xr

from symdsm.diagnostics.checks import Check, distances, mean_shift
from symdsm.diagnostics.stein import stein_test

__all__ = ["descents", "likelihood", "lowest_level", "other_fits", "prior", "stein", "travel"]

MOVED = "half of a posterior sd is visible in any picture; two change every conclusion"
LOW, FEWEST = 0.1, 50


def likelihood(posterior: xr.DataTree) -> list[Check]:
    """One check for each observed site that can be drawn anew."""
    if "predictive_fit" not in posterior.children:
        return []
    group, checks = posterior["predictive_fit"], []
    for name in sorted(n.removesuffix("_observed") for n in group.data_vars if n.endswith("_observed")):
        below = (group[f"{name}_replicated"] <= group[f"{name}_observed"]).to_numpy()
        share = (below.sum() + 1) / (below.size + 2)
        p = float(2 * min(share, 1 - share))
        why = "a posterior predictive p-value, two-sided"
        advice = f"data of '{name}' do not look as the program says: check its noise, and whether the prior allows them"
        checks.append(Check(f"likelihood of {name}", p, 0.01, 0.002, why, advice, True, p))
    return checks


def prior(posterior: xr.DataTree) -> list[Check]:
    """The place of the data among draws of the prior predictive law, all observed sites together."""
    if "prior_fit" not in posterior.children:
        return []
    group = posterior["prior_fit"]
    replicated = group["replicated"].to_numpy()
    p = float((1 + np.sum(replicated <= float(group["observed"]))) / (1 + replicated.size))
    why = "a prior predictive p-value (Box 1980); below the limit none of 500 draws is as unlikely as the data"
    advice = "the prior hardly ever makes data like these: check that they are of the training data's kind"
    return [Check("data under the prior", p, 0.01, 0.002, why, advice, True, p)]


def stein(posterior: xr.DataTree, draws: xr.Dataset) -> list[Check]:
    """The kernel Stein test on the stored points, thinned to the least bulk ESS over variables."""
    if "diagnosis" not in posterior.children:
        return []
    group = posterior["diagnosis"]
    x, s = group["theta"].to_numpy().astype(float), group["gradient"].to_numpy().astype(float)
    keep = _independent(len(x), draws)
    found = stein_test(x[keep], np.nan_to_num(s[keep], posinf=1e15, neginf=-1e15))
    advice = "the draws do not follow the density: a smaller step, a longer warm-up, or an adjusted method"
    why = "wild bootstrap, at this p-value"
    return [Check("Stein discrepancy", found.p_value, 0.01, 0.002, why, advice, True, found.p_value)]


def _independent(n: int, draws: xr.Dataset) -> np.ndarray:
    """Which of n points, evenly spaced over the draws, to keep: as many as the least bulk ESS, and 10 at least."""
    sizes = [float(az.ess(draws[name]).min()) for name in draws.data_vars]
    independent = int(np.nanmin(sizes)) if np.isfinite(sizes).any() else 0
    return np.linspace(0, n - 1, max(min(independent, n), 10)).astype(int)


def descents(posterior: xr.DataTree, draws: xr.Dataset) -> list[Check]:
    """Walkers apart from all draws, as a share."""
    if "diagnosis" not in posterior.children or "walkers" not in posterior["diagnosis"]:
        return []
    group = posterior["diagnosis"]
    x, walkers = (group[name].to_numpy().astype(float) for name in ("theta", "walkers"))
    x = np.unique(x[_independent(len(x), draws)], axis=0)  # a draw that was refused stands on the one before
    unit = np.maximum(x.std(0), 1e-12)
    x, walkers = x / unit, walkers / unit
    own, between, to_draws = distances(x, x), distances(walkers, walkers), distances(walkers, x).min(1)
    np.fill_diagonal(own, np.inf)
    np.fill_diagonal(between, np.inf)
    far = to_draws > np.quantile(own.min(1), 0.99)
    share = float(np.mean(far & (between.min(1) < to_draws)))
    why = "3 of 16; beyond 5 of 16, a tenth of the mass or more lies where no chain is"
    advice = "walkers that came down from noise end where no chain is: use method='tempered'"
    return [Check("descents apart", share, 0.15, 0.3, why, advice)]


def lowest_level(posterior: xr.DataTree, name: str, draws: np.ndarray) -> list[Check]:
    """The shift of the mean from the lowest tenth of the levels above to the lowest one; draws (chain, draw, ...)."""
    if "levels" not in posterior.children or name not in posterior["levels"]:
        return []
    group = posterior["levels"]
    near = group["coordinate"].to_numpy() < LOW
    if near.sum(1).min() < FEWEST:
        return []
    n, values = near.sum(1).min(), group[name].transpose("chain", "visit", ...).to_numpy()
    above = np.stack([v[m][:n] for v, m in zip(values, near, strict=True)])
    advice = "the posterior changes with the smallest level: train on smaller levels, or longer at them"
    return [Check(f"lowest level of {name}", mean_shift(draws, above), 0.5, 2.0, MOVED, advice)]


def other_fits(draws: xr.Dataset, others: Mapping[str, xr.DataTree]) -> list[Check]:
    """The largest shift of a variable's mean to other posteriors of the same program, by their names."""
    checks = []
    for label, other in others.items():
        theirs = other["posterior"].to_dataset()
        shifts = [
            mean_shift(*(d[name].transpose("chain", "draw", ...).to_numpy() for d in (draws, theirs)))
            for name in draws.data_vars
            if name in theirs
        ]
        advice = f"the posterior differs from that of {label}: the fits have not settled; train longer"
        checks.append(Check(f"against {label}", max(shifts, default=float("nan")), 0.5, 2.0, MOVED, advice))
    return checks


def travel(posterior: xr.DataTree) -> list[Check]:
    """Descents from the upper half of the levels to the lowest, fewest over the chains; none at a fixed level."""
    if "levels" not in posterior.children:
        why = "a chain that never came down from noise shows the place where it started"
        advice = "the chains stayed at one level, so modes that they never saw cannot show; use method='tempered'"
        return [Check("level travel", 0.0, 1.0, 0.0, why, advice, True)]
    track = posterior["levels"]["track"].transpose("chain", "iteration").to_numpy()
    fewest = float(min(_descents(chain) for chain in track))
    if "weight" not in posterior["levels"]:  # a ladder: every chain comes down once
        why = "every chain or population comes down once"
        return [Check("level travel", fewest, 1.0, 0.5, why, "a chain did not come down from noise", True)]
    why = "weights of modes are known to about 1 / (2 sqrt(visits)): four chains of 15 give 0.065"
    advice = "the level travels too little to weigh modes; draw longer, or train the energy longer"
    return [Check("level travel", fewest, 15.0, 10.0, why, advice, True)]


def _descents(path):
    side = np.where(path <= 0, -1, np.where(path > 0.5, 1, 0))
    side = side[side != 0]
    return int(np.sum((side[:-1] == 1) & (side[1:] == -1)))
