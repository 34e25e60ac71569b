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

PICTURES = "report.npz"
PAGE = "report.html"


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

    from .diagnostics.report import Evidence, ImagePosterior, image_report

    with np.load(folder / PICTURES) as pictures:
        truth, observed = pictures["truth"], pictures["observed"]
    tree = arviz.from_netcdf(folder / kept["posterior"])
    with tree:
        draws = tree["posterior"][kept["variable"]].to_numpy().reshape(*_sample_shape(tree), *truth.shape)
        levels, level_name = _levels(tree)
    steps, losses = _losses(folder / kept["fit"])
    return image_report(
        folder / PAGE,
        ImagePosterior(draws, truth, observed),
        title=kept["title"],
        lead=kept["lead"],
        verdict=kept["verdict"],
        reasons=kept["reasons"],
        evidence=Evidence(levels, level_name, steps, losses),
        facts={name.replace("_", " "): record[name] for name in record["figures"]},
        table=_table(kept["table"]),
        listings={path.name: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py"))},
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


def _sample_shape(tree: Any) -> tuple[int, int]:
    sizes = tree["posterior"].sizes
    return sizes["chain"], sizes["draw"]


def _levels(tree: Any) -> tuple[np.ndarray | None, str]:
    """The level at every step of each chain, (chain, step), from the group `levels`."""
    if "levels" not in tree.children:
        return None, ""
    for name, values in tree["levels"].data_vars.items():
        if values.ndim == 2:
            return values.to_numpy(), f"noise level {name}"
    return None, ""


def _losses(path: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    import symdsm

    history = {name: np.asarray(values) for name, values in symdsm.load(path).history.items()}
    steps = history.pop("step")
    return steps, {"loss": history["loss"]}


def _table(kept: dict[str, Any]) -> Any:
    import pandas as pd

    index = pd.Index(kept["index"], name=kept["name"] or None)
    return pd.DataFrame(kept["data"], index=index, columns=kept["columns"])


def _footer(record: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    took = f"{record['seconds']['all']:.0f} s of computing"
    return f"{record['model']}, seed {record['seed']}, {took}, begun {record['started']}. {versions}."
