"""The report of a run, made from what the run's folder holds and from nothing else.

`run.json` gives the verdict, the table and the figures, `posterior.nc` the draws and the level's trace, the
fit its loss, `report.npz` the truth and the observation, `*.py` the generated code.  So a report can be
written again for a run that finished long ago.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from .errors import RunError

PICTURES, PICTURE = "report.npz", "picture.png"
PAGE = "report.html"

LABELS = {
    "mse_ratio": "squared error, share of the data mean's",
    "coverage": "coverage of the 90% intervals",
    "verdict": "verdict, worst of all posteriors",
    "verdict_plain_nuts": "verdict on plain NUTS",
}


def ingredients(diagnosis: Any, **where: str) -> dict[str, Any]:
    """What run.json keeps of a diagnosis, with the names of the stages and the variable it was about."""
    table = diagnosis.table
    return {
        **where,
        "verdict": diagnosis.verdict,
        "reasons": list(diagnosis.reasons),
        "table": {"name": table.index.name or "", **json.loads(table.to_json(orient="split"))},
    }


def write_report(folder: str | Path) -> Path:
    """Write `report.html` of the run in a folder; its path.

    Raises `RunError` when the folder holds no run, or one that has not come as far as its report.
    """
    folder = Path(folder)
    record, kept = _kept(folder)
    import arviz

    import symdsm

    from .diagnostics.report import Evidence, ImagePosterior, image_report

    with np.load(folder / PICTURES) as pictures:
        truth, observed = pictures["truth"], pictures["observed"]
    fit = symdsm.load(folder / kept["fit"])
    tree = arviz.from_netcdf(folder / kept["posterior"]).load()
    draws = tree["posterior"][kept["variable"]].to_numpy()
    posterior = ImagePosterior(draws.reshape(*draws.shape[:2], *truth.shape), truth, observed)
    posterior.pictures()[0].figure.savefig(folder / PICTURE, dpi=150, bbox_inches="tight")
    return image_report(
        folder / PAGE,
        posterior,
        title=kept["title"],
        lead=kept["lead"],
        verdict=kept["verdict"],
        reasons=kept["reasons"],
        evidence=Evidence(*_levels(tree, fit), fit.history["step"], {"loss": fit.history["loss"]}),
        facts={LABELS.get(name, name.replace("_", " ")): record[name] for name in record["figures"]},
        table=_table(kept["table"]),
        listings=_listings(folder, record["kernels"]),
        footer=_footer(record),
    )


def _kept(folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    path = folder / "run.json"
    if not path.is_file():
        raise RunError(
            given=f"{folder}, which holds no run.json",
            expected="a folder that `symdsm run` made",
            fix="run the model first: symdsm run FILE --out DIR",
        )
    record = json.loads(path.read_text(encoding="utf-8"))
    if "report" not in record:
        raise RunError(
            given=f"{folder}, whose run is {record['status']} and has not come to its report",
            expected="a run whose model file has called run.report",
            fix=f"type `symdsm run {record['model']} --out {folder} --seed {record['seed']} --resume`",
        )
    return record, record["report"]


def _levels(tree: Any, fit: Any) -> tuple[np.ndarray | None, str]:
    """The level at every iteration of each chain, (chain, iteration), and its name; None without levels."""
    if "levels" not in tree.children:
        return None, ""
    track = tree["levels"]["track"].to_numpy()
    return np.asarray(fit.levels.at(np.clip(track, 0.0, 1.0))), f"noise level {fit.kernel.level}"


def _listings(folder: Path, kernels: dict[str, dict[str, str]]) -> dict[str, str]:
    """For each kernel what was derived, what was checked, and the generated code."""
    texts = {}
    for name, kernel in kernels.items():
        texts[f"{name}: derived score and check"] = f"{kernel['derived']}\n\n{kernel['check']}"
        texts[f"{name}.py: generated JAX code"] = (folder / f"{name}.py").read_text(encoding="utf-8")
    return texts


def _table(kept: dict[str, Any]) -> Any:
    import pandas as pd

    index = pd.Index(kept["index"], name=kept["name"] or None)
    return pd.DataFrame(kept["data"], index=index, columns=kept["columns"])


def _footer(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    took = f"{record['seconds']['all']:.0f} s of computing"
    return f"{record['model']}, seed {record['seed']}, {took}, begun {record['started']}. {versions}."
