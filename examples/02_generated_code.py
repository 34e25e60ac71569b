"""Lesson 2: the code that symdsm writes, and how to take it home.

A kernel becomes a short JAX module. You can read it, keep it under version control, and use it where neither SymPy nor
symdsm is installed: in somebody else's training loop, say.
"""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import optax
import sympy as sp
import sympy.stats as st

import symdsm as sd

# 1. Declare: sonar returns scatter around the range x, now and then wildly. Student's t, with the level s.
x = sp.Symbol("x", real=True)
s, nu = sp.symbols("s nu", positive=True)
sonar = sd.Kernel.from_random(x + s * st.StudentT("z", nu), clean=x, level=s)

# 2. Look at the code. log_prob is written in terms that do not cancel; the score is not its autodiff but a formula.
program = sonar.compile()
source = program.source
print(source[source.index("def score") : source.index("def level_score")].strip(), "\n")

# 3. Write it. The special functions that JAX lacks go into a second file beside it, and the docstring says for which
#    parameters score matching is valid. Writing again gives the same bytes; a file of yours is never overwritten.
folder = Path(tempfile.mkdtemp())
path = sonar.write(folder / "sonar.py")
before = path.read_bytes()
print("the same bytes again:", sonar.write(path).read_bytes() == before)
(folder / "mine.py").write_text("precious = True\n")
try:
    sonar.write(folder / "mine.py")
except FileExistsError as error:
    print("refused:", error.expected, "\n")

# 4. Load it where symdsm and SymPy are not to be found.
script = """
import sys
sys.modules["sympy"] = sys.modules["symdsm"] = None  # an import of either would fail
import sonar
print("without symdsm:", sonar.score(1.7, 1.0, s=0.5, nu=4.0))
"""
done = subprocess.run([sys.executable, "-c", script], cwd=folder, capture_output=True, text=True, check=True)
print(done.stdout, "with symdsm:    ", program.score(1.7, 1.0, s=0.5, nu=4.0), "\n", sep="")

# 5. It is plain JAX: jit, vmap and grad work, in the parameters and the clean value as well.
sys.path.insert(0, str(folder))
module = importlib.import_module("sonar")
y = jnp.array([0.9, 1.1, 7.0])
slopes = jax.vmap(jax.grad(lambda y: module.log_prob(y, 1.0, s=0.5, nu=4.0)))(y)
print("the score is the gradient:", jnp.allclose(slopes, module.score(y, 1.0, s=0.5, nu=4.0), rtol=1e-5))


def loss(where):
    """Minus the log likelihood of the range and of the logarithms of s and nu."""
    place, log_s, log_nu = where
    return -module.log_prob(y, place, s=jnp.exp(log_s), nu=jnp.exp(log_nu)).sum()


print("gradient in x, log s and log nu:", jax.jit(jax.grad(loss))(jnp.array([1.0, -0.7, 1.4])))

# 6. A scale below zero is refused in words by the program. Under jit nobody can speak, so that it gives NaN.
try:
    program.score(y, 1.0, s=-0.5, nu=4.0)
except sd.errors.ParameterError as error:
    print(error)
print("under jit:", jax.jit(module.score)(y, 1.0, s=-0.5, nu=4.0), "\n")

# 7. Somebody's training loop: denoising score matching by hand, with optax. `target` draws the noisy values and the
#    scores to regress on, computed from the noise itself. The clean data are two points, 2 and -2; the answer is known.
clean = jnp.where(jax.random.bernoulli(jax.random.key(0), 0.5, (4096,)), 2.0, -2.0)
centres = jnp.linspace(-8.0, 8.0, 33)


def network(weights, y):
    """A score as a sum of bumps."""
    return jnp.exp(-((y[:, None] - centres) ** 2) / 0.5) @ weights


def matching(weights, key):
    noisy, score = module.target(key, clean, s=0.7, nu=8.0)
    return jnp.mean((network(weights, noisy) - score) ** 2)


optimiser = optax.adam(0.05)


@jax.jit
def step(carry, key):
    weights, state = carry
    updates, state = optimiser.update(jax.grad(matching)(weights, key), state)
    return (optax.apply_updates(weights, updates), state), None


weights = jnp.zeros(centres.size)
(weights, _), _ = jax.lax.scan(step, (weights, optimiser.init(weights)), jax.random.split(jax.random.key(1), 2000))

places = jnp.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
marginal = jax.vmap(jax.grad(lambda y: jnp.logaddexp(*(module.log_prob(y, c, s=0.7, nu=8.0) for c in (2.0, -2.0)))))
learned, truth = network(weights, places), marginal(places)
for name, values in (("learned:", learned), ("truth:  ", truth)):
    print(name, *(f"{v:6.2f}" for v in values))
print("largest error below 0.3:", bool(jnp.abs(learned - truth).max() < 0.3))
