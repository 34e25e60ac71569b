"""Lesson 3: is denoising score matching valid for this noise?

Training on the score of the noise gives the score of the noisy data only under conditions on the noise. Nobody warns
you when they fail: the loss falls, and the answer is wrong. Here symdsm catches two kernels, repairs one, writes the
proof for another, and lowers the variance of what is left.
"""

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import sympy as sp
import sympy.stats as st

import symdsm as sd

x, positive = sp.Symbol("x", real=True), sp.Symbol("x", positive=True)
key = jax.random.key(0)

# 1. A delay: y = x + e with e exponential. The support of y starts at x, so it moves with the clean value.
delay = sd.Kernel.from_random(x + st.Exponential("e", 1), clean=x)
print(delay.check(), "\n")

# 2. What happens to those who do not ask. The data are standard normal; the score of every draw is -1, and so is what
# is learned. The truth is q(y) = exp(1/2 - y) Phi(y - 1), whose score is phi(y - 1)/Phi(y - 1) - 1.
data = np.random.default_rng(0).normal(size=(4000, 1)).astype(np.float32)
net = sd.Score((1,), key=key, width=16, depth=1)
fit = sd.fit(net, data, delay, key=key, objective="dsm", steps=1000, ema=0.98, unchecked=True, progress=False)
places = jnp.linspace(-1.0, 2.5, 8)
true = jax.scipy.stats.norm.pdf(places - 1) / jax.scipy.stats.norm.cdf(places - 1) - 1
learned = jnp.concatenate([fit.score(y[None], None) for y in places])
for name, row in (("y", places), ("learned", learned), ("true", true)):
    print(f"{name:8}" + "".join(f"{value:7.1f}" for value in np.asarray(row)))
print()

# 3. The same on numbers: is J_ESM - J_DSM the same number C for every network?
mixture = {"weights": [0.3, 0.7], "means": [-2.0, 1.0], "scales": [0.5, 0.8]}
print(sd.check_identity(delay, mixture, key=key), "\n")
laplace = sd.families.laplace()
print(sd.check_identity(laplace, mixture, key=key, params={"sigma": 0.5}), "\n")

# 4. Rayleigh speckle, y = x e: the identity holds, but the score behaves like 1/y at the origin, and its square has no
# mean. In log coordinates the same noise has a target of variance 4.
rayleigh = sd.Kernel.from_random(positive * st.Rayleigh("e", 1), clean=positive)
print(rayleigh.check(), "\n")
repaired = rayleigh.change(sp.log)
print("repaired:", repaired.check().holds, "score", repaired.score, "information", repaired.fisher_information(), "\n")

# 5. The proof, with every condition at its line: in LaTeX for a paper, in Markdown for a notebook. `symdsm derive
# "Normal(x, sigma)" --proof proof.tex` does the same.
gaussian = sd.families.gaussian()
text = gaussian.proof("markdown")
with open("proof.tex", "w", encoding="ascii") as file:
    file.write(gaussian.proof())
print("the proof ends with", text.strip().splitlines()[-3], "\n")
print("for the delay it says:", delay.proof("markdown").strip().splitlines()[-1], "\n")

# 6. Valid is not yet good. The gradient of the loss holds psi'(y) times the target, which grows like 1/sigma. The
# target less its known mean, times the network at x, is a control variate: its mean is zero.
print("E[score | x] =", gaussian.check().mean_score)
program, draws = gaussian.compile(), 4000


def psi(theta, y):
    return theta[0] * jnp.tanh(theta[1] * y + theta[2])


def loss(theta, key, x, sigma, control):
    y, target = program.target(key, x, sigma=sigma)
    return 0.5 * (psi(theta, y) - target) ** 2 + control * psi(theta, x) * target


@jax.jit
def variance(sigma, control):
    keys, theta = jax.random.split(key, draws), jnp.array([-1.0, 0.8, 0.1])
    each = jax.vmap(jax.grad(loss), (None, 0, 0, None, None))(theta, keys, data[:draws, 0], sigma, control)
    return jnp.sum(jnp.var(each, axis=0)), jnp.mean(each, axis=0)


sigmas = np.geomspace(0.01, 3.0, 12)
plain, steady = (np.array([variance(s, control)[0] for s in sigmas]) for control in (0.0, 1.0))
print(f"gradient variance at sigma = 0.01: {plain[0]:.3g}, with the control variate {steady[0]:.3g}")
print(f"at sigma = 3: {plain[-1]:.3g} and {steady[-1]:.3g}: objective='controlled' fades it out there")

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
left.plot(places, true, label="true score")
left.plot(places, learned, "--", label="learned by denoising")
left.set(xlabel="y", title="noise with an edge that moves")
left.legend()
right.loglog(sigmas, plain, label="dsm")
right.loglog(sigmas, steady, "--", label="with control variate")
right.set(xlabel="sigma", title="variance of the gradient, one draw")
right.legend()
figure.savefig("is_it_valid.png", dpi=120)
