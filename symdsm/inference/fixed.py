"""Draws at one level by a kernel of NumPyro's kind: NUTS, MALA, ULA, underdamped Langevin.

The chains move in coordinates theta = scale * q, started from points given or from noise at the largest level. On a
learned energy a cold start here is the way that fails silently: far from data an energy at the lowest level means
nothing, and chains can settle there with a perfect R-hat. `annealed` brings the chains down first.

NUTS and MALA tune their step and mass in warm-up. The unadjusted kernels have a bias that depends on their step, so it
is fixed here, in coordinates where each has unit Fisher information. On N(0, I) the variance of ULA is then
1 / (1 - 0.05/2) = 1.026; that of underdamped Langevin is exact.

The kernels are driven piece by piece, one compiled piece for warm-up and draws, so that a run can be watched and
stopped; `numpyro.infer.MCMC` would compile each piece anew.
"""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jaxtyping import Array
from numpyro.diagnostics import effective_sample_size
from numpyro.infer import NUTS
from tqdm.auto import tqdm

from symdsm.inference.compiled import Joint
from symdsm.inference.devices import spread
from symdsm.inference.langevin import MALA, ULA
from symdsm.inference.outcome import posterior_tree
from symdsm.inference.target import Target
from symdsm.inference.underdamped import UnderdampedLangevin

__all__ = ["ADJUSTED", "UNADJUSTED", "fixed_level"]

ADJUSTED, UNADJUSTED = ("nuts", "mala"), ("ula", "underdamped")
KERNELS = {
    "nuts": NUTS,
    "mala": MALA,
    "ula": partial(ULA, step_size=0.05),
    "underdamped": partial(UnderdampedLangevin, step_size=0.3, num_steps=10),
}
PIECES, LEAST_PIECE = 10, 25


def _started(log_joint, kernel, warmup, keys, scale, q):
    """(the kernel, its state for each chain)."""
    made = KERNELS[kernel](potential_fn=lambda q: -log_joint(scale * q, jnp.zeros((), q.dtype)))
    return made, made.init(keys, warmup, q, model_args=(), model_kwargs={})


def _start(log_joint, kernel, warmup, keys, scale, q):
    return _started(log_joint, kernel, warmup, keys, scale, q)[1]


def _piece(log_joint, kernel, warmup, length, scale, state):
    """`length` transitions of all chains: the state, and what was seen (length, chains, ...)."""
    made, _ = _started(log_joint, kernel, warmup, state.rng_key, scale, state.z)
    names = "z", "accept_prob", "diverging", "potential_energy", *(("num_steps", "energy") if kernel == "nuts" else ())

    def one(state, _):
        state = made.sample(state, (), {})
        return state, {name: getattr(state, name) for name in names}

    return lax.scan(one, state, None, length=length)


def fixed_level(target: Target, joint: Joint, kernel: str, start: Array, scale: Array, options, key, **groups):
    """Draws at the lowest level, or at the level given from outside, by `kernel` from `start` (chains, size)."""
    key_run, key_tree = random.split(key)
    length = max(-(-options.draws // PIECES), min(LEAST_PIECE, options.draws))
    warmup = length * -(-options.warmup // length)
    keys, first = spread((random.split(key_run, options.chains), start / scale), options)
    state = joint(_start, keys, scale, first, static=(kernel, warmup))
    kept, partial_run = [], False
    level = {"level": "0.00"} if target.learned else {}
    with tqdm(total=options.draws, disable=not options.progress, desc=f"{kernel}, warming up", unit="draw") as bar:
        try:
            for n in range(-warmup, options.draws, length):
                state, seen = joint(_piece, scale, state, static=(kernel, warmup, length))
                if n >= 0:
                    kept.append({name: np.swapaxes(np.asarray(v), 0, 1) for name, v in seen.items()})
                _tell(bar, kernel, kept, {"accept": f"{jnp.mean(seen['accept_prob']):.2f}"} | level)
        except KeyboardInterrupt:
            if not kept:
                raise
            partial_run = True
    seen = jax.tree.map(lambda *parts: np.concatenate(parts, 1)[:, : options.draws], *kept)
    no_energy = np.full(seen["potential_energy"].shape, np.nan)
    stats = {
        "acceptance_rate": seen["accept_prob"],
        "diverging": seen["diverging"],
        "lp": no_energy if target.scores else -seen["potential_energy"],
    }
    stats |= {"n_steps": seen["num_steps"], "energy": seen["energy"]} if kernel == "nuts" else {}
    attrs = {"partial": int(partial_run), "adjusted": int(kernel in ADJUSTED)}
    return posterior_tree(target, jnp.asarray(scale * seen["z"]), stats, attrs, key_tree, **groups)


def _tell(bar, kernel, kept, said):
    if bar.disable:
        return
    if kept:
        bar.set_description(kernel)
        z = np.concatenate([seen["z"] for seen in kept], 1)
        bar.update(min(z.shape[1], bar.total) - bar.n)
        said["ESS"] = f"{least_ess(z):.0f}"
    bar.set_postfix(said)


def least_ess(z: np.ndarray) -> float:
    """The least effective size over about eight of the coordinates of z (chain, draw, size), for progress bars."""
    few = z[..., :: max(z.shape[-1] // 8, 1)]
    return float(np.min(effective_sample_size(few))) if z.shape[1] > 3 else float("nan")
