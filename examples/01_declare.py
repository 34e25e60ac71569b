"""Lesson 1: from a formula in a paper to a kernel.

A kernel p(y | x) says how a clean value x becomes a noisy one, y. You write it down once, as a SymPy expression. symdsm
derives the score d/dy log p(y | x), checks that denoising score matching may use it, and writes the JAX code.
"""

import jax
import jax.numpy as jnp
import sympy as sp
import sympy.stats as st

import symdsm as sd

# 1. A formula with a random symbol. "In L looks, the intensity of a pixel is x times a Gamma variable of mean one."
x, y = sp.Symbol("x", positive=True), sp.Symbol("y", positive=True)
L, a, s = sp.symbols("L a s", positive=True)
speckle = sd.Kernel.from_random(x * st.Gamma("e", L, 1 / L), clean=x, level=L)

print("speckle:", sp.factor(speckle.score))
print(speckle.check(), "\n")  # the score has a finite variance only with more than two looks

program = speckle.compile()
clean = jnp.array([0.5, 2.0])
noisy, score = program.target(jax.random.key(0), clean, L=4.0)
print("a draw and its score:", noisy, score)
print("log p(y | x):", program.log_prob(noisy, clean, L=4.0), "\n")

# 2. The same noise in other coordinates. The logarithm of speckle is additive, and every L will do.
log_speckle = speckle.change(sp.log)
print("log-speckle holds for every L:", log_speckle.check().holds, "\n")

# 3. A density, as a paper prints it, with or without its constant: here f(y) = y^(a-1) / (x^a + y^a)^2.
density = y ** (a - 1) / (x**a + y**a) ** 2
log_logistic = sd.Kernel.from_density(density, noisy=y, clean=x, level=a)
print("the constant was found:", log_logistic.normalised, sp.simplify(sp.exp(log_logistic.log_density) / density), "\n")

# 4. Kernels compose. Now and then a pixel is much noisier; a wind has a speed and an angle.
w = sp.Symbol("w", positive=True)
u = sp.Symbol("x", real=True)
normal = sd.Kernel.from_random(st.Normal("y", u, s), clean=u, level=s)
outliers = sd.Kernel.mixture({normal: 1 / (1 + w), normal.subs({s: 10 * s}): w / (1 + w)})
wind = sd.Kernel.product(
    {"speed": speckle.subs({L: 1 / s**2}), "angle": sd.families.von_mises().subs({"kappa": 1 / s**2})}
)
print(outliers)
print(wind)
away = jnp.array([1.0, 5.0, 50.0])
print("scores of outliers stay small:", outliers.compile().score(away, 0.0, s=1.0, w=0.05))
print()

# 5. A linear stochastic differential equation. Its transition kernel is solved in closed form; the level is time.
t = sp.Symbol("t", positive=True)
vp = sd.Kernel.from_sde(-u / 2, sp.Integer(1), state=u, time=t)
print("variance preserving:", vp.score)
langevin = sd.families.critically_damped()
print("critically damped Langevin, means of data and velocity:", *langevin.moments[0], "\n", sep="\n  ")

# 6. Coupled noise, in index notation, for arrays of any size: the residual is a random walk.
i, n = sp.symbols("i n", integer=True)
Y, X = sp.IndexedBase("y"), sp.IndexedBase("x")
step = (Y[i + 1] - X[i + 1]) - (Y[i] - X[i])
walk = sd.Kernel.from_density(
    -((Y[0] - X[0]) ** 2 + sp.Sum(step**2, (i, 0, n - 2))) / (2 * s**2), noisy=Y, clean=X, level=s, log=True
)
print("random walk:", walk.score)
for size in (4, 7):
    print(f"  {size} coordinates:", walk.compile().score(jnp.arange(float(size)) ** 2, jnp.zeros(size), s=1.0))

# 7. What does not work is refused, with a reason and a remedy.
shifted = sd.Kernel.from_random(u + st.Exponential("e", a), clean=u)
print("\nshifted exponential noise:", *shifted.check().remedies, sep="\n  ")
