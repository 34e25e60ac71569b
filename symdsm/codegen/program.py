"""Program: the generated module, loaded, with its arguments checked.

The functions are those of the emitted source. In front of each stands one check of its arguments
(codegen/call_arguments.py): the names always, the values when they are concrete.

Before a Program leaves this room its score (and level score) is compared with automatic differentiation of its own
log density, in float64, at random admissible points: SymPy has silent bugs, and a wrong score must not get out.
"""

import hashlib
import linecache
import types
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import jax
import jax.numpy as jnp
import numpy as np

from symdsm.codegen.call_arguments import Limit, checked_parameters, floats, refuse_broken
from symdsm.codegen.fisher_estimate import estimated, refuse_request, squares_at, squares_of_targets
from symdsm.errors import CodegenError, DerivationError, ShapeError

__all__ = ["Program", "load_source"]

_ONCE = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}  # compiled to run once


def load_source(source: str, name: str) -> types.ModuleType:
    """The emitted text as a module; tracebacks show its lines."""
    filename = f"<symdsm {name}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = types.ModuleType(name)
    exec(compile(source, filename, "exec"), module.__dict__)
    return module


class Program:
    """A kernel's compiled face: log_prob, score, level_score, sample, target, dual_target, denoise, mean_score,
    source, and the informations fisher, level_fisher and fisher_estimate.

    y, x and key are positional, parameters go by keyword. For a scalar kernel log_prob, score, level_score and the
    informations are elementwise over arrays that broadcast; for a coupled one log_prob and level_score sum over the
    event (the trailing axes), score has the event's shape and fisher is the trace. All work under jit, vmap and grad,
    in float32 and float64.

    Raises ParameterError for an unknown, missing or inadmissible parameter, DataError for complex, integer or boolean
    arrays and for a clean value that breaks its assumption (under jit such values give NaN), ShapeError for arrays
    that do not fit, DerivationError for a level score that the kernel does not have.
    """

    def __init__(
        self,
        source: str,
        params: Mapping[str, Sequence[str]],
        no_level: DerivationError | None,
        later: Mapping[str, Callable[[], str]] = MappingProxyType({}),
        arrays: Mapping = MappingProxyType({}),
        limits: Sequence[Limit] = (),
    ):
        self.source = source
        self._later = dict(later)
        self._params, self._arrays, self._limits = dict(params), dict(arrays), tuple(limits)
        self._no_level = no_level
        self._module = load_source(source, f"kernel_{hashlib.sha256(source.encode()).hexdigest()[:12]}")
        names = ("log_prob", "score", "level_score", "sample", "target", "dual_target", "fisher", "level_fisher")
        self._compiled = {n: jax.jit(getattr(self._module, n)) for n in names if hasattr(self._module, n)}
        self._compiled["squares_of_targets"] = jax.jit(partial(squares_of_targets, self._module), static_argnums=(0, 1))
        self._compiled["squares_at"] = jax.jit(partial(squares_at, self._module), static_argnums=0)
        self._chains = None

    def log_prob(self, y, x, /, **params):
        """log p(y | x), -inf outside the support."""
        return self._call("log_prob", (), {"y": y, "x": x}, params)

    def score(self, y, x, /, **params):
        """d/dy log p(y | x), NaN outside the support."""
        return self._call("score", (), {"y": y, "x": x}, params)

    def level_score(self, y, x, /, **params):
        """d/dlevel log p(y | x)."""
        self._require_level()
        return self._call("level_score", (), {"y": y, "x": x}, params)

    def sample(self, key, x, /, **params):
        """y ~ p(. | x), one draw for each entry of x.

        Where no exact sampler is known the draw is made by Markov chains, which are judged by their diagnostics
        unless they are traced: raises SamplingError where the chains failed, and warns where they may have.
        """
        if self.needs_chains:
            return self._by_chains(None, key, x, params)
        return self._call("sample", (key,), {"x": x}, params)

    def draws(self, key, x, count: int, /, **params):
        """`count` draws for each event of x, on an axis before the event's, from one run of the Markov chains.

        Raises DerivationError where draws are exact: give `sample` an x with that axis.
        """
        self._require_chains()
        return self._by_chains(count, key, x, params)

    def sample_report(self, key, x, /, **params):
        """R-hat, effective sample size and divergences of the Markov chains behind `sample` with this key.

        Raises DerivationError where draws are exact, so that there are no chains.
        """
        self._require_chains()
        _, trace = self._call("sample_by", (None, key), {"x": x}, params)
        return self._chains.report(trace, None)

    def target(self, key, x, /, **params):
        """(y, score): y ~ p(. | x) and its score, computed from the noise itself where it is declared."""
        if self.needs_chains:
            y = self.sample(key, x, **params)
            return y, self.score(y, x, **params)
        return self._call("target", (key,), {"x": x}, params)

    def dual_target(self, key, x, /, **params):
        """(y, score, level_score) at one draw y ~ p(. | x)."""
        self._require_level()
        if self.needs_chains:
            y, score = self.target(key, x, **params)
            return y, score, self.level_score(y, x, **params)
        return self._call("dual_target", (key,), {"x": x}, params)

    def fisher(self, x, /, **params):
        """E[score**2 | x], inf where it diverges.

        Raises DerivationError for a kernel of several values without a closed form; `fisher_estimate` has a number.
        """
        return self._call("fisher", (), {"x": x}, params)

    def level_fisher(self, x, /, **params):
        """E[level_score**2 | x], inf where it diverges: a closed form, else quadrature to about 1e-8.

        Raises DerivationError where there is no level score, and for a kernel of several values that is not Gaussian;
        `fisher_estimate` has a number for the latter.
        """
        self._require_level()
        self._emit("level_fisher")
        return self._call("level_fisher", (), {"x": x}, params)

    def fisher_estimate(self, key, x, /, draws: int = 4096, of: str = "noisy", **params):
        """(value, error): the mean of |score|**2 over `draws` draws y ~ p(. | x), and its standard error.

        One pair for each event of x, whatever the kernel; `of="level"` squares the level score. The error allows for
        the correlation of Markov chains. Where E|score|**4 is infinite it says little.

        Raises ParameterError for another `of` or fewer than 2 draws, DerivationError where there is no level score or
        no sampler, SamplingError where the chains failed.
        """
        refuse_request(draws, of)
        if of == "level":
            self._require_level()
        if self.needs_chains:
            y = self.draws(key, x, draws, **params)
            return estimated(self._call("squares_at", (of,), {"y": y, "x": x}, params), correlated=True)
        if "sample" not in self._compiled:
            raise self._missing("sample")
        squares = self._call("squares_of_targets", (draws, of, key), {"x": x}, params)
        return estimated(squares, correlated=False)

    def mean_score(self, x, /, **params):
        """E[score | x]: zero where the density vanishes at its ends, -1/x for speckle of one look; NaN if infinite.

        Raises DerivationError where it is not known.
        """
        return self._later_call("mean_score", {"x": x}, params)

    def posterior_mean(self, y, score, /, **params):
        """E[T(x) | y] from score = d/dy log q(y), T the statistic that the kernel's score identifies."""
        return self._denoised("posterior_mean", y, score, params)

    def denoise(self, y, score, /, **params):
        """The clean value at which T is E[T(x) | y]: E[x | y] where T is x, else an estimate.

        E[T(x) | y] itself where T is not one to one (A x for a linear operator).

        Both raise DerivationError, which names what is identified, for a kernel without a denoiser.
        """
        return self._denoised("denoise", y, score, params)

    def drift(self, y, /, **params):
        """f of dy = f dlevel + g dw, the diffusion whose law at each level is the kernel's; of y's shape.

        `drift`, `diffusion`, `flow` and `reverse` raise DerivationError for a kernel whose score determines none:
        kernels of a declared SDE and normal noise in any coordinate have one (symbolic/process.py).
        """
        return self._later_call("drift", {"y": y}, params)

    def diffusion(self, y, /, **params):
        """g of that diffusion, elementwise; for a vector SDE the matrix. Free of y for linear SDEs."""
        return self._later_call("diffusion", {"y": y}, params)

    def flow(self, y, score, /, **params):
        """dy/dlevel along the probability flow, f - (g^2)'/2 - g^2 score/2, from score = d/dy log q(y)."""
        return self._later_call("flow", {"y": y, "score": score}, params)

    def reverse(self, y, score, /, **params):
        """The drift of the same diffusion run back from more noise to less, f - (g^2)' - g^2 score."""
        return self._later_call("reverse", {"y": y, "score": score}, params)

    def bridge(self, y, x, before, /, **params):
        """(mean, sd) of the normal p(z | y, x), z the noisy value at the level `before`, of less noise than y's.

        Raises DerivationError for a kernel that is not normal about a linear mean.
        """
        return self._later_call("bridge", {"y": y, "x": x, "before": before}, params)

    def _denoised(self, name, y, score, params):
        return self._later_call(name, {"y": y, "score": score}, params)

    def _later_call(self, name, arrays, params):
        self._emit(name)
        return self._call(name, (), arrays, params)

    def _emit(self, name):
        """Generate and load a function that the kernel's module does not have."""
        if name not in self._compiled:
            source = self._later[name]()
            module = load_source(source, f"{name}_{hashlib.sha256(source.encode()).hexdigest()[:12]}")
            self._compiled |= {n: jax.jit(getattr(module, n)) for n in self._later if hasattr(module, n)}

    def _call(self, name, keys, arrays, params):
        params = checked_parameters(params, self._params)
        values = floats(arrays, self._arrays)
        refuse_broken(self._limits, dict(zip(arrays, values, strict=True)), params)
        if name not in self._compiled:
            raise self._missing(name)
        try:
            return self._function(name, values, params)(*keys, *values, **params)
        except (TypeError, ValueError) as error:
            shapes = {**dict(zip(arrays, values, strict=True)), **params}
            shown = ", ".join(f"{n} of shape {jnp.shape(a)}" for n, a in shapes.items() if not isinstance(a, dict))
            raise ShapeError(
                given=f"{shown or 'dicts of arrays'} ({error})",
                expected="shapes that fit together",
                fix="give arrays that broadcast; for a coupled kernel the trailing axes are the event",
            ) from error

    def _function(self, name, values, params):
        """The compiled function; the plain one inside a trace where a matrix is a constant, which it then stays."""
        inside = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((values, params)))
        constant = any(jnp.ndim(p) > 1 and not isinstance(p, jax.core.Tracer) for p in params.values())
        plain = getattr(self._module, name, None) if inside and constant else None
        return self._compiled[name] if plain is None else plain

    @property
    def needs_chains(self) -> bool:
        """Is there no exact sampler in the module, so that draws come from Markov chains?"""
        return hasattr(self._module, "sample_by")

    def use_chains(self, chains) -> None:
        """Sample by `chains`, whose run(key, log_density, start, count) gives draws and a trace to judge and report."""
        self._chains = chains

        def run(count, key, x, /, **params):
            def chain(key, log_density, start):
                return chains.run(key, log_density, start, count)

            return self._module.sample_by(chain, key, x, **params)

        self._compiled["sample_by"] = jax.jit(run, static_argnums=0)

    def event_shape(self, x, /, **params) -> tuple[int, ...]:
        """The shape of y for clean values x of a kernel whose events are arrays, batch axes first."""

        def one(x):
            key = jax.random.key(0)
            if self.needs_chains:
                return self._module.sample_by(lambda key, log_density, start: start, key, x, **params)
            return self.sample(key, x, **params)

        return jax.eval_shape(one, x).shape

    def _by_chains(self, count, key, x, params):
        """The draws, judged when their trace is concrete."""
        y, trace = self._call("sample_by", (count, key), {"x": x}, params)
        if not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(trace)):
            self._chains.judge(trace, count)
        return y

    def _require_chains(self):
        if not self.needs_chains:
            raise DerivationError(
                given="a kernel whose draws are exact and independent",
                expected="a coupled kernel that is sampled by Markov chains",
                fix="use sample, which needs no diagnosis",
            )

    def _missing(self, name) -> DerivationError:
        if name == "fisher":
            return DerivationError(
                given="the information of a kernel of several values that has no known closed form",
                expected="a closed form of E[score score']",
                fix="use program.fisher_estimate(key, x, ...), an average over draws with its error",
            )
        return DerivationError(
            given=f"{name} of a coupled kernel whose noisy array's size no other array tells",
            expected="a clean value or a parameter from whose shape it can be read",
            fix="give the size, n say, a number: kernel.subs({n: 8}).compile(); "
            "or declare the clean value as an array of y's shape",
        )

    def functions(self, suffix: str = "") -> types.SimpleNamespace:
        """log_prob, score and level_score of the module as they are; a product's blocks have a suffix."""
        names = ("log_prob", "score", "level_score")
        return types.SimpleNamespace(**{n: getattr(self._module, f"{n}{suffix}", None) for n in names})

    @property
    def manifold(self) -> str | None:
        """ "simplex" or "sphere" when y lives on one, else None."""
        return getattr(self._module, "MANIFOLD", None)

    @property
    def has_level_score(self) -> bool:
        return self._no_level is None

    def _require_level(self):
        if self._no_level is not None:
            raise self._no_level


def verify_scores(functions, points: list[dict], draws, level: str | None) -> None:
    """Compare score and level score with autodiff of log_prob at (y, x, params) in `points`; raise CodegenError."""
    with jax.enable_x64(True):
        columns = {k: jnp.asarray([p[k] for p in points], dtype=float) for k in points[0]}
        y, x = jnp.asarray(draws, dtype=float), columns.pop("x")

        def one(y, x, params):
            value, slope = jax.value_and_grad(functions.log_prob)(y, x, **params)
            out = [(functions.score(y, x, **params), slope)]
            if level is not None:
                by_level = jax.grad(lambda lam: functions.log_prob(y, x, **{**params, level: lam}))(params[level])
                out.append((functions.level_score(y, x, **params), by_level))
            return value, out

        value, pairs = jax.jit(jax.vmap(one), compiler_options=_ONCE)(y, x, columns)
        for name, (derived, automatic) in zip(("score", "level score"), pairs, strict=False):
            compare_scores(name, np.asarray(value), np.asarray(derived), np.asarray(automatic), np.asarray(y))


def verify_draws(program: Program, examples: list[tuple], level: str | None) -> None:
    """The same comparison at one draw for each (x, params), of a kernel whose log_prob sums over its event."""
    compared = _at_a_draw(program._module, level)
    with jax.enable_x64(True):
        for seed, (x, params) in enumerate(examples):
            x = jax.tree.map(lambda v: jnp.asarray(v, dtype=float), x, is_leaf=lambda v: isinstance(v, list))
            params = {k: jnp.asarray(v, dtype=float) for k, v in params.items()}
            value, pairs = compared(jax.random.key(seed), x, params)
            for name, (derived, automatic) in zip(("score", "level score"), pairs, strict=False):
                leaves = [np.concatenate([np.ravel(a) for a in jax.tree.leaves(t)]) for t in (derived, automatic)]
                compare_scores(name, np.asarray(value), *leaves)


def _at_a_draw(module, level):
    """key, x, params -> log density at a draw, and the pairs (derived, automatic)."""

    @partial(jax.jit, compiler_options=_ONCE)
    def compared(key, x, params):
        y = module.sample(key, x, **params)
        value, slope = jax.value_and_grad(lambda y: module.log_prob(y, x, **params).sum())(y)
        pairs = [(module.score(y, x, **params), slope)]
        if level is not None:
            by_level = jax.grad(lambda lam: module.log_prob(y, x, **{**params, level: lam}).sum())(params[level])
            pairs.append((module.level_score(y, x, **params).sum(), by_level))
        return value, pairs

    return compared


def compare_scores(name, value, derived, automatic, y=None):
    """Raise CodegenError where a derived value differs from the automatic one by more than rounding."""
    value, derived, automatic = (np.asarray(a) for a in (value, derived, automatic))
    usable = np.isfinite(value) & np.isfinite(automatic)
    error = np.abs(derived - automatic) / (1.0 + np.abs(automatic))
    wrong = usable & ~(error < 1e-6)
    if wrong.any():
        k = int(np.argmax(np.ravel(wrong)))
        derived, automatic = np.ravel(derived), np.ravel(automatic)
        where = "" if y is None else f" at y = {np.ravel(y)[k]:.9g}"
        raise CodegenError(
            given=f"a generated {name} of {derived[k]:.9g}{where}, where differentiating the generated log "
            f"density gives {automatic[k]:.9g}",
            expected="equal values",
            fix="report this declaration: the derivation of its score is wrong",
        )
