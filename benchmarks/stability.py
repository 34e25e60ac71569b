"""The worst relative error of 200 random kernels: `python -m benchmarks.stability [--kernels N] [--checked N]`.

Each kernel of the grammar of tests/codegen/random_kernels.py is evaluated at 1000 random arguments in float32 and in
float64. A row gives the worst relative error of log_prob and score at `checked` of the arguments against mpmath, and
how many of all values were not finite where the true one is representable (in float32 + float64). The error is
relative to the value and to what it moves by when the arguments move by one rounding; for log_prob also to 1.
"""

import argparse
import statistics

from hypothesis import HealthCheck, Phase, given, settings

from tests.codegen.random_kernels import PRECISIONS, Subject, Trial, kernels


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kernels", type=int, default=200)
    parser.add_argument("--points", type=int, default=1000)
    parser.add_argument("--checked", type=int, default=20)
    options = parser.parse_args(argv)
    columns = [(p, f) for p in PRECISIONS for f in ("log_prob", "score")]
    print(" ".join(f"{p + ' ' + f:>17}" for p, f in columns) + "  not finite  kernel")
    errors, lost = {c: [] for c in columns}, {p: 0 for p in PRECISIONS}

    @settings(
        max_examples=options.kernels,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(kernels())
    def each(kernel):
        subject = Subject(kernel)
        trials = {p: Trial(subject, p, options.points).run(options.checked) for p in PRECISIONS}
        row = [trials[p].worst.get(f, 0.0) for p, f in columns]
        for column, error in zip(columns, row, strict=True):
            errors[column].append(error)
        for p, trial in trials.items():
            lost[p] += len(trial.bad)
        bad = "+".join(str(len(trials[p].bad)) for p in PRECISIONS)
        print(" ".join(f"{e:17.1e}" for e in row) + f"  {bad:>10}  {kernel.log_density}"[:160], flush=True)

    each()
    for column, found in errors.items():
        print(f"{' '.join(column):18} median {statistics.median(found):.1e}, worst {max(found):.1e}")
    print(f"not finite: {lost}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
