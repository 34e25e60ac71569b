"""The module of a kernel of a few coordinates: the noisy value's components on the last axis.

Each formula is written in the components; they are unpacked at the top of a function and stacked at its end. Where the
support is not the whole space the formula is evaluated at a point inside it, as for scalar kernels.
"""

from dataclasses import replace

import sympy as sp

from symdsm.codegen.docstring import assumptions, density_of, formula, in_words, module_docstring, slope_of
from symdsm.codegen.draws import draw_lines, primitive_draws
from symdsm.codegen.guards import Guards, complement
from symdsm.codegen.naming import compact, statements
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.shorten import shorten
from symdsm.codegen.source import module_text
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.conditions import conditions
from symdsm.symbolic.derive import derivative, readable
from symdsm.symbolic.information import fisher_information
from symdsm.symbolic.joint import JointDeclaration, joint_targets
from symdsm.symbolic.joint_check import location_kernel
from symdsm.symbolic.tweedie_form import Tweedie

__all__ = ["joint_denoiser", "joint_source"]


_STACK = '''def _stack(shape, *entries):
    """Coordinates of one shape on the last axis."""
    return jnp.stack([jnp.broadcast_to(e, shape) for e in entries], axis=-1)'''


def joint_source(declaration: JointDeclaration, digest: str) -> str:
    """log_prob, score, sample and target; level_score and dual_target with a level; fisher where it is known."""
    emit = _Emitter(declaration)
    log_density = stabilise(declaration.log_density)
    slopes = [shorten(derivative(log_density, y)) for y in declaration.noisy_symbols]
    functions = [
        emit.at_y("log_prob", [log_density], "-jnp.inf", "log p(y | x), one number for each event."),
        emit.at_y("score", slopes, "jnp.nan", "d/dy log p(y | x), the components on the last axis."),
    ]
    level = declaration.level
    if level is not None:
        text = f"d/d{level} log p(y | x), one number for each event."
        functions.append(emit.at_y("level_score", [shorten(derivative(log_density, level))], "jnp.nan", text))
    functions += [_STACK, emit.noise(), emit.sample(), *emit.targets()]
    information = fisher_information(declaration).expr
    if information is not None:
        functions.append(emit.fisher(information))
    return module_text(_docstring(declaration, digest), functions)


def joint_denoiser(declaration: JointDeclaration, found: Tweedie) -> list[str]:
    """posterior_mean and denoise, which are one function: the statistic is the clean value itself."""
    emit = _Emitter(declaration)
    slopes = [f"l{k + 1}_" for k in range(len(emit.y))]
    emit.names |= dict(zip(found.score, slopes, strict=True))
    means = list(found.mean) if isinstance(found.mean, sp.MatrixBase) else [found.mean]
    lines, values = emit._lines([stabilise(e) for e in means])
    unpacked = [*emit._unpack(emit.y, "y"), *emit._unpack(slopes, "score")]
    guards = Guards(declaration, {p: p.name for p in declaration.params}, emit._print)
    values = [guards.checked(value, mean) for value, mean in zip(values, means, strict=True)]
    shape = f"shape = {emit._shape(emit.y[0], slopes[0])}"
    value = values[0] if len(values) == 1 else _stacked(values)
    arguments = f"y: jax.Array, score: jax.Array, /{emit.keywords}"
    doc = "E[x | y] from score = d/dy log q(y)."
    mean = emit._function("posterior_mean", arguments, doc, [*unpacked, *guards.lines(), shape, *lines], value)
    again = f"posterior_mean(y, score{emit.forwarded})"
    return [_STACK, mean, emit._function("denoise", arguments, "The same: the score identifies x itself.", [], again)]


def _docstring(declaration: JointDeclaration, digest: str) -> str:
    y = ", ".join(s.name for s in declaration.noisy_symbols)
    x = ", ".join(s.name for s in declaration.clean_symbols)
    density = density_of(sp.Symbol(y), sp.Symbol(x))
    formulas = [formula(density, readable(declaration.log_density))]
    for symbol in declaration.noisy_symbols:
        formulas.append(formula(slope_of(symbol, density), readable(derivative(declaration.log_density, symbol))))
    inside = declaration.inside
    where = f"for {in_words(inside)}" if inside is not sp.true else f"for every {y}"
    given = assumptions([*declaration.clean_symbols, *declaration.params], conditions(declaration))
    outside = "; outside the support log_prob is -inf and score is NaN" * (inside is not sp.true)
    remark = f"It holds {where}, with {given}{outside}. Values that break these assumptions give NaN."
    return module_docstring(f"Noise kernel p({y} | {x}) and its score", digest, formulas, [remark])


class _Emitter:
    def __init__(self, declaration: JointDeclaration):
        self.declaration = declaration
        self.params = [s.name for s in declaration.params]
        taken = {*self.params, "x", "y", "key", "shape", "dtype", "outside", "keys", "own"}
        self.y = _local(declaration.noisy_symbols, taken)
        self.x = ["x"] if len(declaration.clean_symbols) == 1 else _local(declaration.clean_symbols, taken)
        self.e = _local(declaration.noise.variables, taken)
        self.names = dict(zip(declaration.clean_symbols, self.x, strict=True))
        self.names |= dict(zip(declaration.noise.variables, self.e, strict=True))
        for symbol, name in zip(declaration.noisy_symbols, self.y, strict=True):
            self.names |= {symbol: name, sp.Symbol(symbol.name, real=True): name}
        self.taken = taken
        arguments = [*declaration.clean_symbols, *declaration.params]
        self.guards = Guards(declaration, {s: self.names.get(s, s.name) for s in arguments}, self._print)

    @property
    def keywords(self) -> str:
        return f", *, {', '.join(f'{p}: jax.Array | float' for p in self.params)}" if self.params else ""

    @property
    def forwarded(self) -> str:
        return "".join(f", {p}={p}" for p in self.params)

    def _print(self, expr) -> str:
        return JaxPrinter(self.names).doprint(expr)

    def _lines(self, exprs) -> tuple[list[str], list[str]]:
        """Lines that compute the shared parts, and the text of each expression."""
        nobody = sp.Dummy("y", real=True), sp.Dummy("x", real=True)
        local = {s: sp.Symbol(name, **s._assumptions_orig) for s, name in self.names.items()}
        return statements([compact(e.xreplace(local)) for e in exprs], self._print, *nobody)

    def _checked(self, values: list[str], exprs) -> list[str]:
        """NaN in place of a value that would not notice that a clean value or a parameter is NaN."""
        return [self.guards.checked(value, expr) for value, expr in zip(values, exprs, strict=True)]

    def _unpack(self, names, array) -> list[str]:
        if names == [array]:
            return []
        return [f"{', '.join(names)}{',' if len(names) == 1 else ''} = jnp.moveaxis({array}, -1, 0)"]

    def _shape(self, *names) -> str:
        return f"jnp.broadcast_shapes({', '.join(f'jnp.shape({n})' for n in [*names, *self.params])})"

    def _function(self, name, arguments, doc, lines, value, returns="jax.Array") -> str:
        body = "".join(f"    {line}\n" if line else "\n" for line in lines)
        return f'def {name}({arguments}) -> {returns}:\n    """{doc}"""\n{body}    return {value}'

    def at_y(self, name: str, exprs: list[sp.Expr], outside: str, doc: str) -> str:
        """A function of (y, x): one number, or one for each coordinate."""
        declaration, lines = self.declaration, [*self._unpack(self.y, "y"), *self._unpack(self.x, "x")]
        lines += [*self.guards.lines(), f"shape = {self._shape(self.y[0], self.x[0])}"]
        inside = declaration.inside
        if inside is not sp.true:
            lines.append(f"outside = {self._print(complement(inside))}")
            guarded = [k for k, y in enumerate(declaration.noisy_symbols) if _real(y) in inside.free_symbols]
            anchors = [f"jnp.where(outside, {self._print(declaration.anchor[k])}, {self.y[k]})" for k in guarded]
            lines.append(f"{', '.join(self.y[k] for k in guarded)} = {', '.join(anchors)}")
        shared_lines, values = self._lines(exprs)
        values = self._checked(values, exprs)
        if inside is not sp.true:
            values = [f"jnp.where(outside, {outside}, {v})" for v in values]
        value = _stacked(values) if name == "score" else f"jnp.broadcast_to({values[0]}, shape)"
        return self._function(name, f"y: jax.Array, x: jax.Array, /{self.keywords}", doc, lines + shared_lines, value)

    def noise(self) -> str:
        """The function that draws the declared noise; what sample and the targets begin with."""
        known = {k: draw for k, draw in enumerate(self.declaration.noise.draws) if draw is not None}
        lines = [f"shape = {self._shape(self.x[0])}", f"dtype = jnp.result_type({', '.join(self._inputs)}, 0.0)"]
        for k, draw in enumerate(self.declaration.noise.draws):
            lines += self._inverse_lines(k) if draw is None else []
        names, own = primitive_draws({draw: self.e[k] for k, draw in known.items()}, self._print)
        for k, draw in known.items():
            if draw not in names:
                own.append(f"{self.e[k]} = {self._print(stabilise(draw.xreplace(names)))}")
        arguments = ", ".join(["key", *self._inputs])
        text = self._function("_noise", arguments, "The noises of each event.", lines + own, ", ".join(self.e))
        return text.replace(" -> jax.Array:", ":", 1)

    @property
    def _inputs(self) -> list[str]:
        return [*self.x, *self.params]

    def _noise_lines(self) -> list[str]:
        drawn = f"{', '.join(self.e)} = _noise({', '.join(['key', *self._inputs])})"
        return [*self._unpack(self.x, "x"), *self.guards.lines(), drawn, f"shape = jnp.shape({self.e[0]})"]

    def _inverse_lines(self, k: int) -> list[str]:
        """A coordinate of noise without a recipe, as codegen/draws.py draws it: exactly, or by its inverse CDF."""
        declaration, noise = self.declaration, self.declaration.noise
        law = [law for law in noise.sources for _ in law.variables][k]
        alone = location_kernel(declaration, law)
        names = {s: n for s, n in self.names.items() if s not in noise.variables}
        lines = draw_lines(alone, replace(alone.noise, map=law.variables[0]), JaxPrinter(names).doprint)
        lines = [line.replace("(key,", "(own,") for line in lines]
        return ["key, own = jax.random.split(key)", *lines, f"{self.e[k]} = e"]

    def sample(self) -> str:
        maps = [stabilise(g) for g in self.declaration.noise.maps]
        lines, values = self._lines(maps)
        values = self._checked(values, maps)
        arguments, doc = f"key: jax.Array, x: jax.Array, /{self.keywords}", "One draw y ~ p(y | x) for each event."
        return self._function("sample", arguments, doc, self._noise_lines() + lines, _stacked(values))

    def targets(self) -> list[str]:
        declaration, derived = self.declaration, joint_targets(self.declaration)
        arguments = f"key: jax.Array, x: jax.Array, /{self.keywords}"
        doc = "A noisy value and its score d/dy log p(y | x), computed from the noise itself."
        dual_doc = f"A noisy value, its score and d/d{declaration.level} log p(y | x)."
        rows = [("target", doc, 2), ("dual_target", dual_doc, 3)][: 1 if declaration.level is None else 2]
        out = []
        for name, text, count in rows:
            returns = f"tuple[{', '.join(['jax.Array'] * count)}]"
            if derived is None:
                again = [f"{f}(y, x{self.forwarded})" for f in ("score", "level_score")][: count - 1]
                lines, value = [f"y = sample(key, x{self.forwarded})"], f"y, {', '.join(again)}"
            else:
                maps = [stabilise(g) for g in declaration.noise.maps]
                exprs = [*maps, *map(stabilise, derived[0]), *map(stabilise, derived[1:][: count - 2])]
                lines, values = self._lines(exprs)
                values, n = self._checked(values, exprs), len(maps)
                value = f"{_stacked(values[:n])}, {_stacked(values[n : 2 * n])}"
                if count == 3:
                    value += f", jnp.broadcast_to({values[-1]}, shape)"
                lines = self._noise_lines() + lines
            out.append(self._function(name, arguments, text, lines, value, returns))
        return out

    def fisher(self, information) -> str:
        lines = [*self._unpack(self.x, "x"), *self.guards.lines()]
        dtype = f"jnp.result_type({', '.join(['x', *self.params, '0.0'])})"
        (value,) = self._checked([f"jnp.asarray({self._print(stabilise(information))}, {dtype})"], [information])
        value = f"jnp.broadcast_to({value}, {self._shape(self.x[0])})"
        doc = "Trace of the Fisher information, E |score|**2."
        return self._function("fisher", f"x: jax.Array, /{self.keywords}", doc, lines, value)


def _stacked(values: list[str]) -> str:
    return f"_stack(shape, {', '.join(values)})"


def _real(symbol: sp.Symbol) -> sp.Symbol:
    return sp.Symbol(symbol.name, real=True)


def _local(symbols, taken: set[str]) -> list[str]:
    """A name in the code for each symbol, none of them taken; they are taken from now on."""
    names = []
    for symbol in symbols:
        name = symbol.name.lstrip("_")
        while name in taken:
            name += "_"
        taken.add(name)
        names.append(name)
    return names
