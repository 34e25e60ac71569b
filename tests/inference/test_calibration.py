"""Posteriors are right on average over the prior, and this is seen to fail for a program that is wrong."""

import pytest

from benchmarks.calibration import coverage, linear, ranks, uniformity


@pytest.mark.slow
def test_ranks_of_prior_draws_are_uniform_unless_the_likelihood_claims_too_much():
    right, _ = ranks(linear(), 30, draws=200)
    assert uniformity(right) > 0.01
    assert all(worst < 3 for _, worst in coverage(right).values())
    wrong, _ = ranks(linear(declared=0.125), 20, draws=200)
    assert uniformity(wrong) < 0.01
    assert coverage(wrong)[0.9][1] > 3
