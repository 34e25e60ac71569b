"""How good and how fast are the methods of `sd.generate`? `python -m benchmarks.generation [--seeds N] [--dims D ...]`.

Oracle: mixtures of four normals whose scores are exact (benchmarks/exact_fit.py), d = 2 and 10. For each method at its
own number of steps, 1000 draws against 1000 of the true law: the accuracy of a classifier (benchmarks/two_sample.py;
0.5 is chance, the aim is 0.55), as a mean over seeds, and the seconds of a draw of 1000 after compilation.

`--speed` times the reverse diffusion instead, samples per second, beside diffusionjax, where it is installed, and
azula, in the interpreter that `--torch PYTHON` names: the same small network, Euler-Maruyama (azula: its DDPM sampler)
with the same number of steps, the fastest of three calls.
"""

import argparse
import subprocess
import tempfile
import time
from pathlib import Path

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

import symdsm as sd
from benchmarks.exact_fit import draw, exact_fit, modes
from benchmarks.two_sample import c2st
from symdsm.inference.generate import METHODS, methods_of
from symdsm.inference.generate_steps import ReverseSDE

STEPS, DRAWS, SIZE, WIDTH = 500, 1000, 10, 128


def oracles(dims, seeds, rounds):
    print(f"{'method':20} {'d':>3} {'steps':>8} {'C2ST':>6} {'worst':>6} {'seconds':>8}")
    for d in dims:
        means, weights, spread = modes(d)
        fit = exact_fit(means, weights, spread)
        for method in methods_of(fit):
            found, seconds = [], []
            for seed in range(seeds):
                true = draw(jax.random.key(1000 + seed), means, weights, np.hypot(spread, fit.levels.least), DRAWS)
                begin = time.perf_counter()
                x = np.asarray(sd.generate(fit, jax.random.key(seed), DRAWS, method))
                seconds.append(time.perf_counter() - begin)
                found.append(c2st(np.asarray(true), x, seed, rounds))
            made = METHODS[method]()
            steps = "adaptive" if made.steps is None else str(made.steps * getattr(made, "inner", 1))
            print(
                f"{method:20} {d:3d} {steps:>8} {np.mean(found):6.3f} {max(found):6.3f} {min(seconds):8.2f}", flush=True
            )


class Net(eqx.Module):
    """Two hidden layers, on (y, log sigma); the network that all contestants call."""

    layers: list

    def __init__(self, key):
        a, b, c = jax.random.split(key, 3)
        self.layers = [
            eqx.nn.Linear(SIZE + 1, WIDTH, key=a),
            eqx.nn.Linear(WIDTH, WIDTH, key=b),
            eqx.nn.Linear(WIDTH, SIZE, key=c),
        ]

    def __call__(self, y, sigma):
        h = jnp.concatenate([y / jnp.sqrt(1 + sigma**2), jnp.log(sigma)[None]])
        for layer in self.layers[:-1]:
            h = jax.nn.silu(layer(h))
        return -y / (1 + sigma**2) + self.layers[-1](h) / jnp.sqrt(1 + sigma**2)


class NetFit(eqx.Module):
    """The network as a fit."""

    net: Net
    examples: jax.Array
    kernel: object = eqx.field(static=True)
    levels: object = eqx.field(static=True)

    params = property(lambda self: {})
    event_shape = property(lambda self: (SIZE,))

    def score(self, y, level):
        return jax.vmap(lambda v: self.net(v, level))(y)


def _fastest(call):
    call()
    times = []
    for _ in range(3):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def speed(n, torch):
    levels = sd.geometric(0.02, 20.0)
    net = Net(jax.random.key(0))
    fit = NetFit(net, jax.random.normal(jax.random.key(1), (1000, SIZE)), sd.families.gaussian(), levels)
    method = ReverseSDE(steps=STEPS)
    ours = _fastest(lambda: jax.block_until_ready(sd.generate(fit, jax.random.key(2), n, method)))
    print(f"symdsm        {n / ours:10.0f} samples/s")
    rivals = {"azula": _azula(torch, net, levels, n)} if torch else {}
    try:
        rivals["diffusionjax"] = _fastest(_diffusionjax(net, levels, n))
    except ImportError as error:
        print(f"diffusionjax  not installed ({error.name})")
    for name, seconds in rivals.items():
        print(f"{name:13} {n / seconds:10.0f} samples/s, ratio {seconds / ours:.2f}")


def _diffusionjax(net, levels, n):
    from diffusionjax.sde import VE
    from diffusionjax.solvers import EulerMaruyama
    from diffusionjax.utils import get_exponential_sigma_function, get_sampler, get_times

    equation = VE(sigma=get_exponential_sigma_function(levels.least, levels.most))

    def score(y, t):
        return jax.vmap(net)(y, equation.sigma(t))

    sampler = jax.jit(get_sampler((n, SIZE), EulerMaruyama(equation.reverse(score), ts=get_times(STEPS)[0])))
    return lambda: jax.block_until_ready(sampler(jax.random.key(0)))


def _azula(python, net, levels, n):
    """Seconds of azula's sampler with the same network, in another interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "weights.npz"
        weights = {f"w{k}": layer.weight for k, layer in enumerate(net.layers)}
        np.savez(file, **weights, **{f"b{k}": layer.bias for k, layer in enumerate(net.layers)})
        script = Path(__file__).with_name("torch_sampler.py")
        command = [python, script, file, n, STEPS, levels.least, levels.most]
        done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=True)
    return float(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--dims", type=int, nargs="+", default=[2, 10])
    parser.add_argument("--rounds", type=int, default=200, help="epochs of the classifier")
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--draws", type=int, default=5000, help="draws that --speed times")
    parser.add_argument("--torch", help="an interpreter that has torch and azula")
    args = parser.parse_args()
    if args.speed:
        speed(args.draws, args.torch)
    else:
        oracles(args.dims, args.seeds, args.rounds)


if __name__ == "__main__":
    main()
