"""What does `sd.fit` cost beside a loop written by hand? `python -m benchmarks.training [--rounds N] [--chunks N]`.

With `--torch PYTHON`, an interpreter that has torch, sbi and azula, their trainers run beside it (torch_trainers.py).

Figures, each a ratio of times taken in turn in one run:

    step        one step of the loop of `sd.fit` (history, NaN guard, progress bar, checks of the held-out rows) over
                one step of a hand-written Equinox + Optax scan: the same network on the same data, the same
                objective with Gaussian noise, stratified levels, clipping, AdamW on a cosine, averaged weights; the
                scales of input and output are Gaussian closed forms (Karras et al. 2022) written out by hand
    progress    the loop with its progress bar, written to a file, over the loop without
    sbi, azula  training examples per second of the loop of `sd.fit` over theirs, with one thread or all cores, the
                faster; same data, number of parameters and batch, denoising score matching only, and sbi's time
                includes its data loader and held-out rows

Everything is compiled before the clock starts. Each round runs every contestant, starting from another one each time,
and each keeps its fastest round: other work on the machine hurts all alike, and least of all the figures.
"""

import argparse
import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax

import symdsm as sd
from symdsm.learning.fit import prepared
from symdsm.learning.objectives import objective_named
from symdsm.learning.sources import Table
from symdsm.learning.steps import Settings, Steps
from symdsm.learning.training import train

LEAST, MOST = 0.1, 10.0
SIZE, RATE, DECAY, EMA, CLIP = 256, 2e-3, 0.1, 0.999, 1.0
CASES = {
    "score, 2 entries, width 64": ("dsm", 2, 64),
    "score, 64 entries, width 128": ("dsm", 64, 128),
    "energy, 64 entries, width 128": ("dual", 64, 128),
}


def network(objective: str, entries: int, width: int) -> eqx.Module:
    """The network of a case."""
    kind = sd.Score if objective == "dsm" else sd.Energy
    return kind((entries,), key=jax.random.key(0), width=width, depth=2)


def ours(objective: str, data, net, steps: int) -> Callable[[bool], None]:
    """The loop of `sd.fit`, compiled, as a function of whether it shows progress."""
    clean, named = jnp.asarray(data), objective_named(objective)
    levels = sd.geometric(LEAST, MOST)
    options = dict(levels=levels, objective=named, params=None, unchecked=False)
    potential, _ = prepared(net, clean, sd.families.gaussian(), jax.random.split(jax.random.key(1)), **options)
    settings = Settings(objective, "fisher", False, steps, SIZE, RATE, DECAY, EMA, CLIP, 0.1, None)
    compiled, table = Steps(potential, named, settings, None, None), Table((clean, None), jnp.arange(len(clean)))

    def run(progress: bool) -> None:
        train(
            compiled,
            table,
            (clean[:200], None),
            jax.random.key(2),
            level_at=str,
            identity={},
            checkpoint=None,
            resume=False,
            progress=progress,
        )

    return run


def by_hand(objective: str, data, net, steps: int) -> Callable[[], None]:
    """The same training as a user of Equinox and Optax would write it for Gaussian noise."""
    clean, log_ratio = jnp.asarray(data), np.log(MOST / LEAST)
    entries, centre, spread = clean.shape[1], jnp.mean(clean, 0), jnp.std(clean, 0)
    warmup = min(steps // 10, 500)
    schedule = optax.warmup_cosine_decay_schedule(0.0, RATE, warmup, steps)
    optimiser = optax.chain(optax.clip_by_global_norm(CLIP), optax.adamw(schedule, weight_decay=DECAY))
    params, static = eqx.partition(net, eqx.is_inexact_array)

    def scaled(y, sigma):
        total = jnp.sqrt(spread**2 + sigma**2)
        z = (y - centre) / total
        return z * jax.lax.rsqrt(1 + (z / 4) ** 2), total

    def score(net, y, u, sigma):
        v, total = scaled(y, sigma)
        return -(y - centre) / total**2 + spread / (sigma * total) * net(v, u)

    def energy(net, y, u):
        sigma = LEAST * jnp.exp(log_ratio * u)
        v, total = scaled(y, sigma)
        quadratic = 0.5 * jnp.sum(((y - centre) / total) ** 2 + 2 * jnp.log(total))
        return quadratic + jnp.mean(spread / sigma) * net(v, u)

    def one(net, key, x, u):
        sigma = LEAST * jnp.exp(log_ratio * u)
        e = jax.random.normal(key, x.shape)
        y = x + sigma * e
        if objective == "dsm":
            return 0.5 * jnp.sum((score(net, y, u, sigma) + e / sigma) ** 2) * sigma**2 / entries
        in_y, in_u = jax.grad(energy, argnums=(1, 2))(net, y, u)
        level_score = (jnp.sum(e**2) - entries) * log_ratio
        first = jnp.sum((in_y - e / sigma) ** 2) * sigma**2 / entries
        return 0.5 * (first + (in_u + level_score) ** 2 / (2 * entries * log_ratio**2))

    def step(carry, k):
        params, state, average = carry
        rows, noise, levels = jax.random.split(jax.random.fold_in(jax.random.key(2), k), 3)
        x = clean[jax.random.randint(rows, (SIZE,), 0, len(clean))]
        u = (jnp.arange(SIZE) + jax.random.uniform(levels)) / SIZE

        def loss(params):
            net = eqx.combine(params, static)
            return jnp.mean(jax.vmap(one, (None, 0, 0, 0))(net, jax.random.split(noise, SIZE), x, u))

        value, slope = jax.value_and_grad(loss)(params)
        update, state = optimiser.update(slope, state, params)
        params = optax.apply_updates(params, update)
        decay = jnp.minimum(EMA, (1.0 + k) / (10.0 + k))
        average = jax.tree.map(lambda a, p: decay * a + (1 - decay) * p, average, params)
        return (params, state, average), value

    @jax.jit
    def chunk(carry, first):
        return jax.lax.scan(step, carry, first + jnp.arange(100))

    def run() -> None:
        carry = params, optimiser.init(params), params
        for first in range(0, steps, 100):
            carry, losses = chunk(carry, first)
        assert np.isfinite(np.asarray(losses)).all()

    return run


def fastest(contestants: dict[str, Callable[[], None]], rounds: int) -> dict[str, float]:
    """Seconds of each, the best of `rounds`, after one run that compiles."""
    for run in contestants.values():
        run()
    names, best = list(contestants), dict.fromkeys(contestants, np.inf)
    for k in range(rounds):
        for name in names[k % len(names) :] + names[: k % len(names)]:
            start = time.perf_counter()
            contestants[name]()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def by_torch(python: str, entries: int, parameters: int) -> dict[str, float]:
    """Seconds a step of the trainers in torch, the best of two runs each with one thread and with all."""
    command = [python, str(Path(__file__).with_name("torch_trainers.py")), str(entries), str(parameters)]
    best = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as peer:
        peer.stdout.readline()
        for _ in range(2):
            for name in ("sbi", "azula"):
                for threads in (1, os.cpu_count()):
                    peer.stdin.write(f"{name} 300 {threads}\n")
                    peer.stdin.flush()
                    found = json.loads(peer.stdout.readline())
                    best[name] = min(best.get(name, np.inf), found["seconds"] / found["steps"])
                best[name, "parameters"] = found["parameters"]
        peer.stdin.close()
    return best


def main(rounds: int, chunks: int, case: str | None, torch: str | None) -> None:
    """Print the table."""
    steps, rng = 100 * chunks, np.random.default_rng(0)
    for name in CASES if case is None else [case]:
        objective, entries, width = CASES[name]
        data = rng.normal(size=(2000, entries)).astype(np.float32) * np.linspace(0.5, 2.0, entries, dtype=np.float32)
        net = network(objective, entries, width)
        loop = ours(objective, data, net, steps)

        def shown(loop=loop):
            with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
                loop(True)

        runs = {"sd.fit": lambda loop=loop: loop(False), "with progress": shown}
        found = fastest(runs | {"by hand": by_hand(objective, data, net, steps)}, rounds)
        each = {who: 1e3 * seconds / steps for who, seconds in found.items()}
        print(f"{name}: " + ", ".join(f"{who} {ms:.3f} ms a step" for who, ms in each.items()))
        print(f"    step      {found['sd.fit'] / found['by hand']:.3f}")
        print(f"    progress  {found['with progress'] / found['sd.fit']:.3f}")
        if torch is not None and objective == "dsm":
            own = sum(map(jnp.size, jax.tree.leaves(eqx.filter(net, eqx.is_inexact_array))))
            peers = by_torch(torch, entries, own)
            for who in ("sbi", "azula"):
                ratio, theirs = 1e3 * peers[who] / each["sd.fit"], peers[who, "parameters"]
                print(f"    {who:8}  {ratio:.1f} times the examples per second ({own} and {theirs} parameters)")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--chunks", type=int, default=5)
    parser.add_argument("--case", choices=CASES, help="one of the cases only")
    parser.add_argument("--torch", help="an interpreter that has torch, sbi and azula")
    main(**vars(parser.parse_args()))
