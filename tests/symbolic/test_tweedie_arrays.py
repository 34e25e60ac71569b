"""What is written down for coupled Gaussians; the numbers are in tests/codegen/test_denoise.py."""

import pytest
import sympy as sp

import symdsm as sd

READ = {
    "linear_operator": ("sigma**2*l[j] + y[j]", "Sum(A[j, j1]*x[j1], (j1, 0, m - 1))"),
    "blurred": ("sigma**2*l[j] + y[j]", "Sum(K[k]*x[j + k], (k, 0, m - 1))"),
    "multivariate_normal_covariance": ("sigma**2*Sum(C[j, k]*l[k], (k, 0, n - 1)) + y[j]", "x[j]"),
    "multivariate_normal_precision": ("sigma**2*Solve(P, n, Lambda(k, l[k]), j, positive) + y[j]", "x[j]"),
    "random_walk": ("y[j] + Sum(Sigma[j, p]*l[p], (p, 0, n - 1))", "x[j]"),
    "lattice": ("y[j, k] + Sum(Sigma[j, k, p, q]*l[p, q], (p, 0, n - 1), (q, 0, m - 1))", "x[j, k]"),
    "dirichlet": ("((kappa - n + l[j] - Sum(l[i]*y[i], (i, 0, n - 1)))*y[j] + 1)/kappa", "x[j]"),
}


@pytest.mark.parametrize("name", READ)
def test_the_formula_as_it_is_read(name):
    kernel = getattr(sd.families, name)()
    assert (str(kernel.denoiser()), str(kernel.identified)) == READ[name]


def test_a_covariance_that_depends_on_the_clean_event_has_no_denoiser():
    Y, X = sp.IndexedBase("y"), sp.IndexedBase("x")
    i, n = sp.Symbol("i", integer=True), sp.Symbol("n", integer=True, positive=True)
    relative = -sp.Sum(((Y[i] - X[i]) / X[i]) ** 2 / 2 + sp.log(X[i]), (i, 0, n - 1))
    kernel = sd.Kernel.from_density(relative, noisy=Y, clean=X, log=True)
    assert kernel.denoiser() is None
    assert "covariance depends on the clean value" in str(kernel.check())


def test_a_square_vector_sde_is_inverted_and_two_clean_components_come_back():
    x1, x2, a, b = sp.symbols("x1 x2 a b", positive=True)
    t, state = sp.Symbol("t", positive=True), sp.Matrix(sp.symbols("x1 x2", positive=True))
    kernel = sd.Kernel.from_sde(sp.Matrix([-a * x1, -b * x2]), sp.eye(2), state, t)
    at = {p: v for p, v in zip(kernel.params, (0.5, 0.8, 0.3), strict=True)}
    at |= dict(zip(kernel.noisy, (0.2, -0.4), strict=True)) | dict(zip(kernel.marginal_score, (1.5, 0.7), strict=True))
    mean, covariance = (m.subs(at) for m in kernel.moments)
    found = kernel.denoiser().subs(at)
    back = mean.subs(dict(zip(kernel.clean, found, strict=True)))
    exact = sp.Matrix([0.2, -0.4]) + covariance * sp.Matrix([1.5, 0.7])
    assert max(abs(v) for v in (back - exact)) < 1e-12
