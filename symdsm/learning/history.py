"""What training saw, by name, and its picture."""

from typing import Any

import numpy as np

__all__ = ["History", "figure"]


class History(dict):
    """Arrays by name, one row for each chunk of steps, or for each look at the held-out rows.

        step, loss             the last step of a chunk and its mean loss
        levels                 the mean loss in each of eight bins of the level's coordinate, least noise first
        checked, validation    the step of a look, and the loss of the averaged weights on the held-out rows
        by_level               the same in eight bins

    Compared and hashed by identity, so that a fit can be passed through `jax.jit`.
    """

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other

    def add(self, **numbers) -> None:
        """Append one number or row to each named array."""
        for name, value in numbers.items():
            row = np.asarray(value, np.float64)[None]
            self[name] = np.concatenate([self[name], row]) if name in self else row


def figure(history: History, levels: np.ndarray | None, level_name: str | None) -> Any:
    """Left the loss by step, right the loss by level at the end; `levels` are the middles of the bins or None."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(9.0, 3.4), layout="constrained")
    by_step, by_level = drawn.subplots(1, 2)
    by_step.plot(history["step"], history["loss"], color="0.6", label="training")
    if "validation" in history:
        by_step.plot(history["checked"], history["validation"], color="C0", marker="o", ms=3, label="held out")
    by_step.set(xlabel="step", ylabel="loss")
    by_step.legend(frameon=False)
    name, label = ("by_level", "held out") if "by_level" in history else ("levels", "training")
    places = np.arange(history[name].shape[1]) if levels is None else levels
    by_level.plot(places, history[name][-1], color="C0" if name == "by_level" else "0.6", marker="o", label=label)
    if levels is not None and (levels > 0).all():
        by_level.set_xscale("log")
    by_level.set(xlabel=level_name or "part of the draws", ylabel="loss at the end")
    by_level.legend(frameon=False)
    return drawn
