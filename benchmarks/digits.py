"""What can be known of the hidden half of a digit: `python -m benchmarks.digits [RUN ...]`.

The error of models/digits.py, as a share of the data mean's, means little without what is attainable. Two oracles on
the same six held-out digits, seen through new speckle SEEDS times:

    kernel density    the exact posterior mean when the prior is the training set itself, each digit dequantised and
                      blurred by a normal of the bandwidth in z (importance sampling over all of them)
    regression        a network trained only for this task: speckled left half -> right half, 54,000 pairs

With the folders of finished runs as arguments the first oracle sees the very observations of those runs.
"""

import argparse
import warnings

import arviz as az
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor

LEFT = np.arange(64) % 8 < 4
SEEDS, COPIES, BANDWIDTHS = 8, 60, (0.05, 0.15, 0.25)


def halves():
    return train_test_split(load_digits().data, random_state=0)


def speckled(digits, looks, rng):
    """(left half of y, dequantised digits), y = (1 + intensity) e with e ~ Gamma(looks, 1/looks)."""
    digits = digits + rng.uniform(size=digits.shape)
    return ((1 + digits) * rng.gamma(looks, 1 / looks, digits.shape))[..., LEFT], digits


class KernelDensity:
    """Posterior mean of the right half under the blurred training set."""

    def __init__(self, train, bandwidth, rng):
        z = np.log(1 + np.repeat(train, COPIES, 0) + rng.uniform(size=(len(train) * COPIES, 64)))
        z += bandwidth * rng.normal(size=z.shape)
        self.image, self.right = np.exp(z[:, LEFT]), np.minimum(np.exp(z[:, ~LEFT]) - 1, 17)
        self.log_image = np.log(self.image).sum(1)

    def mean(self, y, looks):
        log_weight = -looks * (self.log_image + (1 / self.image) @ y)
        weight = np.exp(log_weight - log_weight.max())
        return weight @ self.right / weight.sum()


def share(estimates, truth, train):
    """Squared error on the hidden half over that of the data mean."""
    baseline = np.square(train.mean(0)[~LEFT] + 0.5 - truth[:, ~LEFT]).mean()
    return np.square(np.asarray(estimates) - truth[:, ~LEFT]).mean() / baseline


def kernel_density(train, test, looks):
    for bandwidth in BANDWIDTHS:
        prior = KernelDensity(train, bandwidth, np.random.default_rng(0))
        shares = []
        for seed in range(SEEDS):
            y, truth = speckled(test[:6], looks, np.random.default_rng(seed))
            shares.append(share([prior.mean(row, looks) for row in y], truth, train))
        print(f"kernel density, bandwidth {bandwidth}: {np.mean(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})")


def regression(train, test, looks):
    rng = np.random.default_rng(0)
    y, truth = speckled(np.repeat(train, 40, 0), looks, rng)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        net = MLPRegressor(hidden_layer_sizes=(256, 256), batch_size=256, max_iter=14, alpha=1e-3, random_state=0)
        net.fit(np.log(y), truth[:, ~LEFT])
    shares = []
    for seed in range(SEEDS):
        y, truth = speckled(test[:6], looks, np.random.default_rng(seed))
        shares.append(share(net.predict(np.log(y)), truth, train))
    print(f"regression for this task alone: {np.mean(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})")


def observations(folder):
    """The six speckled left halves of a finished run."""
    names = ["posterior", *(f"posterior-{n}" for n in range(1, 6))]
    return [az.from_netcdf(f"{folder}/{name}.nc")["observed_data"]["y"].to_numpy().ravel() for name in names]


def of_run(folder, train, test, looks):
    """The kernel density oracle on the observations of a finished run."""
    seen = observations(folder)
    for bandwidth in BANDWIDTHS:
        prior = KernelDensity(train, bandwidth, np.random.default_rng(0))
        estimates = [prior.mean(y, looks) for y in seen]
        print(f"{folder}: kernel density, bandwidth {bandwidth}: {share(estimates, test[:6] + 0.5, train):.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", nargs="*", help="folders of finished runs of models/digits.py")
    parser.add_argument("--looks", type=float, default=4.0)
    args = parser.parse_args()
    train, test = halves()
    for folder in args.run:
        of_run(folder, train, test, args.looks)
    kernel_density(train, test, args.looks)
    regression(train, test, args.looks)


if __name__ == "__main__":
    main()
