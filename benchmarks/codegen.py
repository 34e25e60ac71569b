"""How fast is generated code? `python -m benchmarks.codegen [--kernels NAME ...] [--sizes N ...] [--rounds N]`.
With `--operations` nothing is timed: XLA's own count of operations is compared instead, which no load disturbs.

The time of `program.score` on float32 arrays, as a ratio to

    (a) hand     what an expert writes by hand from the published density (benchmarks/handwritten.py)
    (b) grad     jax.grad of the generated log density, summed over the entries
    (c) numpyro  jax.grad of the log_prob of NumPyro's distribution, where there is one
    (d) sympy    lambdify(modules="jax") of SymPy's own derivative of the written-out log density, where it runs

and the time to trace and compile it as a ratio to (b). Below 1 the generated score is faster. Everything is under
jax.jit. Each repetition calls every contestant in turn, starting from another one each time, and each keeps its
fastest repetition: the machine's other work then hurts all alike, and least of all the figures. There are `--rounds`
repetitions, or as many as begin within PATIENCE seconds, but no less than FEWEST. The hand-written score must agree
with the generated one in float64, or the run stops; a contestant whose float32 values at the first size differ from
the float64 ones by more than a hundredth anywhere is timed no less, and marked *.
"""

import argparse
import statistics
import time
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import sympy as sp

from benchmarks.codegen_cases import CASES
from benchmarks.handwritten import SCORES
from symdsm.codegen.build import module_source
from symdsm.codegen.program import load_source

SIZES = (100, 1_000, 10_000, 100_000, 1_000_000)
RIVALS = ("hand", "grad", "numpyro", "sympy")
SLICE = 0.0005  # seconds that one repetition of one contestant lasts, at least one call: short ones go undisturbed
PATIENCE, FEWEST = 2.0, 20


@dataclass
class Row:
    """One kernel at one size: seconds of each contestant, and which of them are inaccurate."""

    kernel: str
    size: int
    seconds: dict
    wrong: set
    compile_ratio: float

    def ratio(self, rival):
        return self.seconds["ours"] / self.seconds[rival] if rival in self.seconds else None

    def __str__(self):
        cells = ""
        for rival in RIVALS:
            ratio = self.ratio(rival)
            cells += f"{'-':>9}" if ratio is None else f"{ratio:8.2f}{'*' if rival in self.wrong else ' '}"
        micro = 1e6 * self.seconds["ours"]
        return f"{self.kernel:30}{self.size:>9}{micro:11.1f}{cells}{self.compile_ratio:9.2f}"


def by_keywords(score):
    """The score as a function of (y, x, params)."""
    return lambda y, x, params: score(y, x, **params)


def by_autodiff(log_prob):
    """The score as jax.grad of a log density, a function of (y, x, params)."""
    return lambda y, x, params: jax.grad(lambda y: jnp.sum(log_prob(y, x, **params)))(y)


def contestants(case, kernel, program):
    """name -> function of (y, x, params)."""
    found = {
        "ours": by_keywords(program.score),
        "hand": lambda y, x, params: SCORES[case.name](y, x, **params),
        "grad": by_autodiff(program.log_prob),
    }
    if case.peer is not None:
        found["numpyro"] = by_autodiff(lambda y, x, **params: case.peer(x, **params).log_prob(y))
    written = _lambdified(kernel) if kernel.event_ndim == 0 else None
    if written is not None:
        found["sympy"] = written
    return found


def _lambdified(kernel):
    """SymPy's own derivative through SymPy's own printer."""
    names = [str(p) for p in kernel.params]
    slope = sp.diff(kernel.log_density, kernel.noisy)
    f = sp.lambdify([kernel.noisy, kernel.clean, *kernel.params], slope, modules="jax")
    return lambda y, x, params: f(y, x, *(params[n] for n in names))


def arguments(case, program, size, dtype):
    """y, x and the parameters of about `size` coordinates."""
    params = {k: jnp.asarray(v, dtype) for k, v in case.params.items()}
    y, x = case.data(program, size, params, dtype)
    return y, x, params


def measure(functions, args, rounds):
    """The fastest of `rounds` interleaved repetitions of each function, in seconds for one call."""
    names, best, calls = list(functions), {}, {}
    for name in names:
        once = min(_elapsed(functions[name], args, 1) for _ in range(3))
        calls[name] = max(1, int(SLICE / once))
    begin = time.perf_counter()
    for k in range(rounds):
        if k >= FEWEST and time.perf_counter() - begin > PATIENCE:
            break
        for name in names[k % len(names) :] + names[: k % len(names)]:
            seconds = _elapsed(functions[name], args, calls[name])
            best[name] = min(best.get(name, np.inf), seconds)
    return best


def _elapsed(f, args, calls):
    begin = time.perf_counter()
    for _ in range(calls):
        out = f(*args)
    jax.block_until_ready(out)
    return (time.perf_counter() - begin) / calls


def compile_seconds(function, args):
    """The seconds that tracing and compiling take from nothing."""
    jax.clear_caches()
    begin = time.perf_counter()
    jax.jit(function).lower(*args).compile()
    return time.perf_counter() - begin


def compile_ratio(functions, args, repetitions=3):
    """Fastest of a few compilations of ours over the fastest of autodiff's."""
    times = {name: np.inf for name in ("ours", "grad")}
    for _ in range(repetitions):
        for name in times:
            times[name] = min(times[name], compile_seconds(functions[name], args))
    return times["ours"] / times["grad"]


def check(case, functions, program):
    """Stop when the hand-written score is not the generated one in float64."""
    with jax.enable_x64(True):
        args = arguments(case, program, 400, jnp.float64)
        ours, hand = (np.asarray(functions[name](*args)) for name in ("ours", "hand"))
    error = np.max(np.abs(ours - hand) / (1e-3 * np.max(np.abs(hand)) + np.abs(hand)))
    if not error < 1e-9:
        raise SystemExit(f"{case.name}: the hand-written score differs from the generated one by {error:.1e}")


def inaccurate(functions, executables, args):
    """The contestants whose float32 values are not those of the generated score in float64, or not finite."""
    with jax.enable_x64(True):
        exact = np.asarray(functions["ours"](*jax.tree.map(lambda a: jnp.asarray(np.asarray(a), jnp.float64), args)))
    known = np.isfinite(exact)
    size = 1e-3 * np.max(np.abs(exact[known])) + np.abs(exact)
    wrong = set()
    for name, f in executables.items():
        error = np.abs(np.asarray(f(*args), float) - exact) / size
        if not np.max(error[known]) < 0.01:
            wrong.add(name)
    return wrong


def rows_of(case, sizes, rounds):
    kernel = case.kernel()
    program = kernel.compile()
    functions = contestants(case, kernel, program)
    check(case, functions, program)
    small = arguments(case, program, sizes[0], jnp.float32)
    ratio, wrong = compile_ratio(functions, small), None
    for size in sizes:
        args = arguments(case, program, size, jnp.float32)
        executables = {}
        for name, function in functions.items():
            try:
                executables[name] = jax.jit(function).lower(*args).compile()
            except (NameError, AttributeError, TypeError, jax.errors.JAXTypeError):
                assert name == "sympy", f"{name} does not run for {case.name}"
        if wrong is None:  # once a kernel, at the smallest size
            wrong = inaccurate(functions, executables, args)
        yield Row(case.name, size, measure(executables, args, rounds), wrong, ratio)


def operations(function, args):
    """(arithmetic, transcendental) operations for each entry, by XLA's cost analysis of the optimised program."""
    cost = jax.jit(function).lower(*args).compile().cost_analysis()
    return cost.get("flops", 0.0) / args[0].size, cost.get("transcendentals", 0.0) / args[0].size


def operation_ratios(case, size):
    """The operations of our score and of autodiff's, and the ratios, None where one of the two is nearly none.

    Only shapes go in, so that nothing is drawn or run.
    """
    module = load_source(module_source(case.kernel()._declaration, "0" * 64), case.name)
    args = jax.eval_shape(partial(arguments, case, module, size, jnp.float32))
    ours, grad = (operations(f, args) for f in (by_keywords(module.score), by_autodiff(module.log_prob)))
    return ours, grad, [a / b if min(a, b) > 0.01 else None for a, b in zip(ours, grad, strict=True)]


def count_operations(cases, size):
    """A row for each kernel, and the geometric mean and the largest ratio of each kind of operation."""
    print(f"{'':30}{'ours':>18}{'grad':>18}{'arithmetic':>12}{'transcendental':>16}")
    found = {"arithmetic": {}, "transcendental": {}}
    for case in cases:
        ours, grad, ratios = operation_ratios(case, size)
        shown = "".join(f"{flops:10.1f}{other:8.2f}" for flops, other in (ours, grad))
        row = "".join(f"{'-' if r is None else f'{r:.2f}':>14}" for r in ratios)
        print(f"{case.name:30}{shown}{row}", flush=True)
        for kind, ratio in zip(found.values(), ratios, strict=True):
            kind |= {case.name: ratio} if ratio is not None else {}
    for name, kind in found.items():
        if kind:
            worst = max(kind, key=kind.get)
            mean = geometric_mean(list(kind.values()))
            print(f"{name}: geometric mean {mean:.2f} of {len(kind)}, worst {kind[worst]:.2f} ({worst})")


def geometric_mean(values):
    return float(np.exp(np.mean(np.log(values))))


def summary(rows):
    """Geometric mean, worst and count against each rival, for all sizes and for each."""
    print("\nratio of the generated score's time to the rival's")
    print(f"{'':12}{'geometric mean':>16}{'median':>9}{'worst':>9}{'count':>7}   by size")
    for rival in RIVALS:
        found = [(row.ratio(rival), row) for row in rows if row.ratio(rival) is not None]
        if not found:
            continue
        ratios = [r for r, _ in found]
        worst, row = max(found, key=lambda pair: pair[0])
        by_size = {s: geometric_mean([r for r, row in found if row.size == s]) for s in {row.size for row in rows}}
        shown = ", ".join(f"{s:.0e}: {by_size[s]:.2f}" for s in sorted(by_size))
        print(
            f"{rival:12}{geometric_mean(ratios):16.3f}{statistics.median(ratios):9.2f}{worst:9.2f}{len(ratios):7}"
            f"   {shown}   worst: {row.kernel} at {row.size}"
        )
    compiles = list({row.kernel: row.compile_ratio for row in rows}.values())
    print(f"{'compile/grad':12}{geometric_mean(compiles):16.3f}{statistics.median(compiles):9.2f}{max(compiles):9.2f}")


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    known = {case.name: case for case in CASES}
    parser.add_argument("--kernels", nargs="+", choices=sorted(known), default=list(known), metavar="NAME")
    parser.add_argument("--sizes", nargs="+", type=int, default=SIZES, metavar="N")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--operations", action="store_true")
    options = parser.parse_args(argv)
    if options.operations:
        count_operations([known[name] for name in options.kernels], 1000)
        return 0
    print(f"{'':30}{'size':>9}{'ours/us':>11}" + "".join(f"{r:>8} " for r in RIVALS) + f"{'compile':>9}")
    rows = []
    for name in options.kernels:
        for row in rows_of(known[name], tuple(options.sizes), options.rounds):
            rows.append(row)
            print(row, flush=True)
    summary(rows)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
