"""The page of a diagnosis: verdict, facts, pictures, table, in one self-contained file.

Pictures are ArviZ's (traces, pair plot, PIT of the predictive distribution) on a few entries, those with the smallest
effective sizes, and ours: the path of the level, and the posterior mean, sd and some draws where events are images.
"""

from pathlib import Path

import arviz as az
import numpy as np
import xarray as xr

from symdsm.diagnostics import plots
from symdsm.diagnostics.page import Picture, write

__all__ = ["entries", "write_page"]

SHOWN, DRAWS, SIDE, LONG, TRACED, DATA = 4, 8, 4, 300, 400, 8


def entries(draws: xr.Dataset, count: int = SHOWN) -> xr.Dataset:
    """Up to `count` scalar entries of a dataset (chain, draw, ...), each a variable, the smallest bulk ESS first."""
    found = []
    for name, values in draws.data_vars.items():
        flat = values.transpose("chain", "draw", ...).to_numpy()
        shape = flat.shape[2:]
        flat = flat.reshape(*flat.shape[:2], -1)
        for i in np.unique(np.linspace(0, flat.shape[-1] - 1, 64).astype(int)):
            label = name if not shape else f"{name}[{', '.join(map(str, np.unravel_index(i, shape)))}]"
            if np.isfinite(flat[..., i]).all() and flat[..., i].std() > 0:
                found.append((float(az.ess(flat[..., i])), label, flat[..., i]))
    found.sort(key=lambda one: one[0])
    return xr.Dataset({label: (("chain", "draw"), values) for _, label, values in found[:count]})


def write_page(path: str | Path, diagnosis, title: str) -> Path:
    """Write the page of `diagnosis`; returns its path."""
    tree, table = diagnosis.posterior, diagnosis.table
    shown = table.drop(columns="advice").rename(columns={"p_value": "p"})
    return write(
        path,
        title=title,
        verdict=diagnosis.verdict,
        reasons=diagnosis.reasons,
        facts=_facts(tree),
        pictures=_pictures(tree),
        table=shown,
        footer=f"symdsm {_version()}, ArviZ {az.__version__}",
    )


def _version():
    from importlib.metadata import version

    return version("symdsm")


def _facts(tree):
    sizes = tree["posterior"].sizes
    facts = {"method": tree.attrs.get("method", "given"), "chains": sizes["chain"], "draws per chain": sizes["draw"]}
    if tree.attrs.get("learned_sites"):
        facts["likelihood along levels"] = tree.attrs["likelihood"]
    if "log_evidence" in tree.attrs:
        facts |= {"log evidence": tree.attrs["log_evidence"], "its error": tree.attrs["log_evidence_error"]}
    return facts


def _pictures(tree):
    some = entries(tree["posterior"].to_dataset())
    count = tree["posterior"].sizes["draw"]
    every = -(-count // TRACED)
    thinned = some.assign_coords(draw=range(count)).isel(draw=slice(None, None, every))
    small = xr.DataTree.from_dict({"posterior": thinned})
    pictures = _images(tree["posterior"].to_dataset())
    if some.data_vars:
        caption = "A colour for each chain. These are the entries with the smallest effective sizes"
        caption += f", one draw in {every}." if every > 1 else "."
        size, lines = (10, 1.8 * len(some.data_vars)), {"trace": {"width": 0.7, "alpha": 0.8}}
        figure = _arviz("plot_trace_dist", small, size, compact=False, visuals=lines)
        pictures.append(Picture("Traces", caption, figure))
    if "levels" in tree.children:
        track = np.maximum(tree["levels"]["track"].transpose("chain", "iteration").to_numpy(), 0.0)
        caption = "0 is the lowest level, where the draws are taken, 1 the most noise, where every chain began;"
        caption += " of a long path the beginning and the end."
        figure = plots.level_trace(track, name="level coordinate")
        figure.set_figwidth(10)
        pictures.append(Picture("Path of the level", caption, figure))
    if {"posterior_predictive", "observed_data"} <= set(tree.children) and _data(tree) >= DATA:
        caption = "Where the data lie in what the posterior predicts: uniform (p above alpha) if the model holds."
        pictures.append(Picture("Predictive PIT", caption, _arviz("plot_ppc_pit", tree, (5, 3.4)), wide=False))
    if len(some.data_vars) > 1:
        caption = "The same entries two by two, all chains together."
        figure = _arviz("plot_pair", small, (7, 6), visuals={"scatter": {"size": 6, "alpha": 0.4}})
        pictures.append(Picture("Pairs", caption, figure, wide=False))
    return pictures


def _images(draws):
    for name, values in draws.data_vars.items():
        flat = values.transpose("chain", "draw", ...).to_numpy()
        if flat.ndim != 4 or min(flat.shape[2:]) < SIDE:
            continue
        flat = flat.reshape(-1, *flat.shape[2:])
        some = flat[np.linspace(0, len(flat) - 1, DRAWS).astype(int)]
        mean, (low, high) = flat.mean(0), np.quantile(flat, [0.01, 0.99])
        return [
            Picture(
                f"{name}: posterior mean and sd",
                "The sd is that of each pixel.",
                plots.images({"mean": mean}, spread={"sd": flat.std(0)}),
                wide=False,
            ),
            Picture(
                f"{name}: eight draws",
                "Evenly spaced over all chains; the grey scale goes from the 1% to the 99% quantile of all draws.",
                plots.draws(some, low=float(low), high=float(high)),
            ),
        ]
    return []


def _data(tree):
    return sum(values.size for values in tree["observed_data"].data_vars.values())


def _arviz(name, tree, size, **options):
    """The figure of an ArviZ plot, taken out of pyplot's hands; clouds and long lines become pixels."""
    import arviz_plots
    from matplotlib import pyplot, rc_context

    with rc_context(plots.STYLE):
        collection = getattr(arviz_plots, name)(tree, backend="matplotlib", figure_kwargs={"figsize": size}, **options)
        figure = collection.viz["figure"].item()
        pyplot.close(figure)
    figure.set_layout_engine("constrained")
    for axis in figure.axes:
        lines = [line for line in axis.lines if len(line.get_xdata()) > LONG]
        for artist in (*axis.collections, *lines):
            artist.set_rasterized(True)
    return figure
