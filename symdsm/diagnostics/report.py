"""The report of a posterior over images: what was true, what was seen, what is believed, how far to trust it.

The posterior mean minimises the expected squared error; the sd and the eight draws show what it leaves open.
The trace of the level shows whether the chains moved between noise and data, the loss curve whether training
had come to rest.  Everything comes as plain arrays, so that a finished run can be shown again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import plots
from .page import Picture, write

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 8


@dataclass(frozen=True)
class ImagePosterior:
    """Draws of an image with what they are compared with.

    - `draws`: (chain, draw, height, width).
    - `truth`, `observed`: (height, width); NaN in `observed` where nothing was seen.
    """

    draws: np.ndarray
    truth: np.ndarray
    observed: np.ndarray

    def pictures(self) -> list[Picture]:
        flat = self.draws.reshape(-1, *self.draws.shape[-2:])
        mean, sd = flat.mean(axis=0), flat.std(axis=0, ddof=1)
        some = flat[np.linspace(0, len(flat) - 1, DRAWS).astype(int)]
        panels = {"truth": self.truth, "observation": self.observed, "posterior mean": mean}
        return [
            Picture(
                "Truth, observation, posterior",
                "The first three share the grey scale of the truth; hatched pixels were not seen. The last is the "
                "posterior standard deviation of each pixel.",
                plots.images(panels, spread={"posterior sd": sd}),
            ),
            Picture(
                "Eight draws",
                "Posterior draws, evenly spaced over all chains, on the same grey scale.",
                plots.draws(some, low=float(np.nanmin(self.truth)), high=float(np.nanmax(self.truth))),
            ),
        ]


@dataclass(frozen=True)
class Evidence:
    """What the rest of the report shows; each part may be left out.

    - `levels`: the noise level along each chain, (chain, iteration).
    - `losses`: the recorded training losses by name, each with one entry per entry of `steps`.
    """

    levels: np.ndarray | None = None
    level_name: str = "noise level"
    steps: np.ndarray | None = None
    losses: Mapping[str, np.ndarray] = field(default_factory=dict)

    def pictures(self) -> list[Picture]:
        found = []
        if self.levels is not None:
            lowest = float(np.min(self.levels))
            found.append(
                Picture(
                    "Trace of the level",
                    "A row for each of up to four chains, from the first descent through noise to the last draw; of a "
                    "long path the beginning and the end. The posterior is the draws at the lowest level (dashed).",
                    plots.level_trace(self.levels, name=self.level_name, lowest=lowest),
                    wide=not self.losses,
                )
            )
        if self.losses:
            found.append(
                Picture(
                    "Loss curve",
                    "The training loss as recorded, and its running median. Denoising losses do not go to "
                    "zero: what is left is the noise of the target.",
                    plots.loss_curve(self.steps, self.losses),
                    wide=self.levels is None,
                )
            )
        return found


def image_report(
    path: str | Path,
    posterior: ImagePosterior,
    *,
    title: str,
    verdict: str,
    reasons: Iterable[str] = (),
    lead: str = "",
    evidence: Evidence | None = None,
    facts: Mapping[str, Any] | None = None,
    table: pd.DataFrame | None = None,
    listings: Mapping[str, str] | None = None,
    footer: str = "",
) -> Path:
    """Write the self-contained HTML report to `path`; the words are as in `symdsm.diagnostics.page.page`."""
    evidence = evidence or Evidence()
    return write(
        path,
        title=title,
        verdict=verdict,
        reasons=reasons,
        lead=lead,
        facts=facts,
        pictures=[*posterior.pictures(), *evidence.pictures()],
        table=table,
        listings=listings,
        footer=footer,
    )
