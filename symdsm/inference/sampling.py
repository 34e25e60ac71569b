"""The front door of sampling: `sd.sample`.

| method | chains | right for |
|---|---|---|
| "tempered" | move the level too (`tempering.py`) | energies: crosses between modes, weighs them |
| "smc", "smc-mala" | populations over the levels (`smc.py`) | energies, for the evidence; few dimensions |
| "annealed" | come down, then stay (`annealing.py`) | scores without an energy; very many dimensions; one mode |
| "nuts", "mala" | stay at the lowest level (`fixed.py`) | programs without a learned prior; a contrast |
| "ula", "underdamped" | the same, unadjusted | scores |

`"auto"` takes NUTS where no level is free to move, "annealed" where a fit has a score alone or where there are more
than LARGE latent numbers (one level crossing costs at least their square root in steps, and memory grows with them),
else "tempered".
"""

import os
from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, PRNGKeyArray
from tqdm.auto import tqdm

from symdsm.errors import EnergyRequired, ParameterError
from symdsm.inference.annealing import annealed, stay
from symdsm.inference.checkpoint import Record, identity
from symdsm.inference.compiled import Joint
from symdsm.inference.fixed import UNADJUSTED
from symdsm.inference.smc import MOVES, smc
from symdsm.inference.target import Target
from symdsm.inference.tempering import tempered

__all__ = ["METHODS", "choose", "sample"]

METHODS = ("auto", "tempered", "annealed", *MOVES, "nuts", "mala", "ula", "underdamped")
CHAIN_METHODS = ("vectorized", "parallel")
LARGE = 5000


class Options(NamedTuple):
    """How much to draw, and how it is shown and spread over devices."""

    chains: int
    draws: int
    warmup: int
    chain_method: str
    progress: bool


def sample(
    program: Callable,
    *args,
    key: PRNGKeyArray,
    chains: int = 4,
    draws: int = 1000,
    warmup: int = 1000,
    method: str = "auto",
    likelihood: str = "auto",
    chain_method: str = "vectorized",
    progress: bool = True,
    init: dict[str, Array] | None = None,
    checkpoint: str | os.PathLike | None = None,
    **kwargs,
):
    """Draw from the posterior of a NumPyro program; `args` and `kwargs` are the program's own.

    `method`: see the table above; what "auto" chose, and why, is in the attributes `method` and `chosen_because`.
    `likelihood` is what the likelihood says to latents above the lowest level, where it is always as declared:
    "declared", "power", "inflated", "denoised" or "auto" (`symdsm.inference.likelihood`). `chain_method="parallel"`
    spreads the chains over JAX's devices. `init` gives starting values of latent sites on their own supports; other
    sites start from noise. Inside `with sd.noise_level(s):` the priors stay at s, and the posterior is the one there.

    `checkpoint` is a folder where the run is recorded every 15 seconds and when it ends or is interrupted. The same
    call with the same folder goes on from there, after a kill too, and gives the draws of a run that was never stopped,
    bit for bit, on the same machine; a finished one returns its draws at once. Delete the folder to start afresh.

    Returns an xarray DataTree with the groups `posterior` (exactly `draws` per chain, at the lowest level, with the
    program's deterministic sites), `sample_stats`, `log_likelihood`, `posterior_predictive`, `prior`,
    `prior_predictive`, `observed_data`, `diagnosis` and, where levels moved, `levels` (`symdsm.inference.outcome`).
    "smc" (Hamiltonian moves) and "smc-mala" (Langevin moves) add the attributes `log_evidence` and
    `log_evidence_error`. The same key gives the same draws. Ctrl-C returns the draws so far, with `attrs["partial"]` 1
    ("smc": the populations at the lowest level); before the first draw there, `KeyboardInterrupt` says that there is
    nothing to return.

    Raises `SamplingError` when the program is impossible at every start (naming the site), when a chain does not come
    down to the lowest level often enough (with the level's path), or when `checkpoint` holds another run or is damaged;
    `EnergyRequired` for a score under a method that accepts and refuses, `ShapeError` and `DataError` for data that do
    not fit their site, `ParameterError` for options that are not.
    """
    for name, value, least in (("chains", chains, 1), ("draws", draws, 1), ("warmup", warmup, 0)):
        if not isinstance(value, int) or value < least:
            raise ParameterError(
                given=f"{name}={value!r}", expected=f"a whole number, at least {least}", fix=f"pass {name}={least}"
            )
    _one_of("method", method, METHODS)
    _one_of("chain_method", chain_method, CHAIN_METHODS)
    options = Options(chains, draws, warmup, chain_method, progress)
    target = Target(program, args, kwargs, dict(init or {}), likelihood)
    chosen, why = choose(target, method)
    if why and progress:
        tqdm.write(f'sampling by "{chosen}": {why}')
    joint = Joint(target, weighed=chosen in MOVES)
    if checkpoint is not None:
        joint.record = Record(checkpoint, identity(target, joint, chosen, options, key))
    try:
        tree = _run(target, joint, chosen, options, key)
    except KeyboardInterrupt as stop:
        later = "" if checkpoint is None else f"; the same call goes on from {str(checkpoint)!r}"
        raise KeyboardInterrupt(
            f'"{chosen}" was stopped before it had a draw of the posterior: there is nothing to return yet{later}'
        ) from stop
    finally:
        if checkpoint is not None:
            joint.record.write()
    tree.attrs.update(method=chosen, chosen_because=why)
    tree["posterior"].attrs.update(method=chosen, chosen_because=why)
    return tree


def _run(target, joint, method, options, key):
    if method == "tempered":
        return tempered(target, joint, options, key)
    if method == "annealed":
        return annealed(target, joint, options, key)
    if method in MOVES:
        return smc(target, joint, method, options, key)
    return stay(target, joint, method, options, key)


def choose(target: Target, method: str) -> tuple[str, str]:
    """(the method, why it is not the one asked for or what "auto" went by)."""
    if target.scores and method not in ("auto", "annealed", *UNADJUSTED):
        raise EnergyRequired(
            given=f"method={method!r} for the site '{target.scores[0]}', which has a score and no density",
            expected='"annealed", "ula" or "underdamped": the others compare densities',
            fix="leave method out, or train sd.Energy and use sd.LearnedPrior",
        )
    if not target.learned and method in ("auto", "tempered", "annealed"):
        if target.scores:
            return "underdamped", "a score at a given level: unadjusted, and levels do not apply"
        known = "its level is given" if target.priors else "no latent LearnedPrior"
        return "nuts", f"{known}: levels do not apply"
    if method != "auto":
        return method, ""
    if target.scores:
        return "annealed", "a score alone has no density to accept by: down the levels by unadjusted Langevin steps"
    if target.size > LARGE:
        return "annealed", f"{target.size} latent numbers, more than {LARGE}: modes are found, not weighed"
    return "tempered", f"{target.size} latent numbers with an energy: the level moves too"


def _one_of(name, value, allowed):
    if value not in allowed:
        raise ParameterError(
            given=f"{name}={value!r}",
            expected=" or ".join(f'"{one}"' for one in allowed),
            fix=f'leave {name} out: it is "{allowed[0]}"',
        )
