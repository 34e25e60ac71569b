"""The text of the module that a scalar kernel becomes.

Each function is written for one entry and works elementwise by broadcasting. Where the support is not the whole line
the formula is evaluated at a point inside it and the result chosen by `where`, so that neither the value nor a
gradient sees a NaN from outside: log_prob is -inf there and score is NaN. A clean value or a parameter that breaks its
assumptions makes every result NaN (codegen/guards.py).
"""

import sympy as sp

from symdsm.codegen.docstring import assumptions, density_of, formula, in_words, module_docstring, slope_of
from symdsm.codegen.draws import density_draw_lines, draw_lines
from symdsm.codegen.fisher import fisher_lines, level_fisher_lines
from symdsm.codegen.guards import Guards, complement, guard_functions
from symdsm.codegen.naming import compact, cost, statements
from symdsm.codegen.printer import JaxPrinter
from symdsm.codegen.shorten import fewer_divisions, powers_by_logs, shorten
from symdsm.codegen.stabilise import stabilise
from symdsm.symbolic.conditions import conditions
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import derivative, noise_targets, readable

__all__ = [
    "HELPER_IMPORT",
    "block_formulas",
    "block_functions",
    "level_fisher_function",
    "module_text",
    "pointwise_formulas",
    "remarks",
    "scalar_source",
]

HELPER_IMPORT = "from symdsm.codegen import special"
_RETURNS = " -> jax.Array:"


def scalar_source(declaration: Declaration, digest: str) -> str:
    """The module: log_prob, score, level_score, sample, target, dual_target, fisher."""
    return module_text(_docstring(declaration, digest), block_functions(declaration))


def block_functions(declaration: Declaration, suffix: str = "") -> list[str]:
    """The functions of one scalar kernel, each name with the suffix."""
    emit = _Emitter(declaration, suffix)
    texts = {"log_prob": "log p(y | x).", "score": "d/dy log p(y | x)."}
    texts["level_score"] = f"d/d{declaration.level} log p(y | x)."
    formulas = pointwise_formulas(declaration)
    anchor = _anchor(declaration, formulas)
    functions = [
        emit.pointwise(name, expr, anchor, "-jnp.inf" if name == "log_prob" else "jnp.nan", texts[name])
        for name, expr in formulas.items()
    ]
    dual = "level_score" in formulas
    return [*functions, *emit.noise(), *emit.sample(), *emit.targets(dual), emit.fisher()]


def pointwise_formulas(declaration: Declaration) -> dict[str, sp.Expr]:
    """What log_prob, score and, where there is one, level_score evaluate."""
    log_density = stabilise(declaration.log_density)
    found = {"log_prob": log_density, "score": shorten(derivative(log_density, declaration.noisy))}
    if declaration.level is not None and declaration.normalised is True:
        found["level_score"] = shorten(derivative(log_density, declaration.level))
    return {name: fewer_divisions(compact(powers_by_logs(expr, declaration.noisy))) for name, expr in found.items()}


def level_fisher_function(declaration: Declaration, suffix: str = "") -> str:
    """`def level_fisher(x, /, ..)`, which codegen/level_fisher.py puts into a module of its own."""
    return _Emitter(declaration, suffix).fisher("level_fisher", level_fisher_lines, "level_score")


def module_text(docstring: str, functions: list[str]) -> str:
    """The functions with the imports that they need."""
    body = "\n\n\n".join(functions)
    body = "\n\n\n".join([*guard_functions(body), body])
    header = [docstring, "", "import jax", "import jax.numpy as jnp"]
    if "jsp." in body:
        header.append("import jax.scipy.special as jsp")
    if "special." in body.replace("jax.scipy.special", ""):
        header += ["", HELPER_IMPORT]
    return "\n".join(header) + "\n\n\n" + body + "\n"


def _docstring(declaration: Declaration, digest: str) -> str:
    title = f"Noise kernel p({declaration.noisy} | {declaration.clean}) and its score"
    return module_docstring(title, digest, block_formulas(declaration), [remarks(declaration)])


def block_formulas(declaration: Declaration) -> list:
    """The log density and the score, for the docstring."""
    y = declaration.noisy
    density = density_of(y, declaration.clean)
    score = readable(derivative(declaration.log_density, y))
    return [formula(density, readable(declaration.log_density)), formula(slope_of(y, density), score)]


def remarks(declaration: Declaration) -> str:
    """Where the formulas hold, in a sentence."""
    y, period = declaration.noisy, declaration.period
    where = f"for {in_words(declaration.inside)}" if declaration.inside is not sp.true else f"for every {y}"
    where += f", an angle of period {period}" if period is not None else ""
    given = assumptions([declaration.clean, *declaration.params], conditions(declaration))
    outside = "; outside the support log_prob is -inf and score is NaN" * (declaration.inside is not sp.true)
    return f"It holds {where}, with {given}{outside}. Values that break these assumptions give NaN."


class _Emitter:
    """Writes the functions of one scalar kernel; their names end in the suffix."""

    def __init__(self, declaration: Declaration, suffix: str = "", guarded: bool = True):
        self.declaration, self.suffix, self.guarded = declaration, suffix, guarded
        y, x = declaration.noisy, declaration.clean
        self.names = {y: "y", x: "x", sp.Symbol(y.name, real=True): "y"}
        self.params = [s.name for s in declaration.params]
        self.symbols = {x: "x", **{s: s.name for s in declaration.params}}
        self.known = _meanings(declaration)
        self.guards = Guards(declaration, self.symbols, self._print)

    @property
    def keywords(self) -> str:
        typed = ", ".join(f"{p}: jax.Array | float" for p in self.params)
        return f", *, {typed}" if self.params else ""

    @property
    def forwarded(self) -> str:
        return "".join(f", {p}={p}" for p in self.params)

    def _print(self, expr) -> str:
        return JaxPrinter(self.names).doprint(expr)

    def _lines(self, exprs, y=None) -> tuple[list[str], list[str]]:
        """Lines that compute the shared parts, and the text of each expression."""
        y = self.declaration.noisy if y is None else y
        return statements(list(exprs), self._print, y, self.declaration.clean, self.known)

    def _guards(self, *used: sp.Basic) -> list[str]:
        """Lines that turn x and the parameters into NaN outside their assumptions; all of them, or those used."""
        free = set().union(*(e.free_symbols for e in used)) if used else set(self.symbols)
        return self.guards.lines([s for s in self.symbols if s in free]) if self.guarded else []

    def _checked(self, value: str, exprs) -> tuple[list[str], str]:
        """NaN in place of a value that would not notice that x or a parameter is NaN."""
        if not self.guarded:
            return [], value
        return self.guards.lines(self.guards.deaf(*exprs)), self.guards.checked(value, *exprs)

    def _sum_lines(self, expr: sp.Expr) -> tuple[list[str], str]:
        """Lines and value of one expression; terms of parameters alone are added up once, not for each entry."""
        entries = {self.declaration.noisy, self.declaration.clean}
        own = [term for term in expr.args if not term.free_symbols & entries] if expr.is_Add else []
        name = "constant" if "constant" not in self.params else "constant_"
        if len(own) < 2 or not sp.Add(*own).free_symbols:
            lines, (value,) = self._lines([expr])
            return lines, value
        lines, (value, constant) = self._lines([expr - sp.Add(*own) + sp.Symbol(name, real=True), sp.Add(*own)])
        return [*lines, f"{name} = {constant}"], value

    def pointwise(self, name: str, expr: sp.Expr, anchor: sp.Expr | None, outside: str, doc: str) -> str:
        lines, value = self._sum_lines(expr)
        declaration = self.declaration
        more, value = self._checked(value, [expr])
        if {declaration.noisy, declaration.clean} - expr.free_symbols:
            lines.append("shape = " + self._shape("y"))
            value = f"jnp.broadcast_to({value}, shape)"
        guards = self._guards(expr, declaration.inside)
        guards += [line for line in more if line not in guards]
        if declaration.inside is not sp.true:
            guards.append(f"outside = {self._print(complement(declaration.inside))}")
            if anchor is not None:
                guards.append(f"y = jnp.where(outside, {self._print(anchor)}, y)")
            value = f"jnp.where(outside, {outside}, {value})"
            doc = f"{doc[:-1]}; {outside.replace('jnp.', '').replace('nan', 'NaN')} outside the support."
        return self._function(name, f"y: jax.Array, x: jax.Array, /{self.keywords}", doc, guards + lines, value)

    def _function(self, name, arguments, doc, lines, value, returns="jax.Array") -> str:
        body = "".join(f"    {line}\n" for line in lines)
        return f'def {name}{self.suffix}({arguments}) -> {returns}:\n    """{doc}"""\n{body}    return {value}'

    def _shape(self, *leading: str) -> str:
        return f"jnp.broadcast_shapes({', '.join(f'jnp.shape({n})' for n in [*leading, 'x', *self.params])})"

    def _shape_and_dtype(self) -> list[str]:
        return [f"shape = {self._shape()}", f"dtype = jnp.result_type({', '.join(['x', *self.params, '0.0'])})"]

    def noise(self) -> list[str]:
        """The function that draws the declared noise; what sample and the targets begin with."""
        if self.declaration.noise is None or self.declaration.parts:
            return []
        lines = self._shape_and_dtype() + draw_lines(self.declaration, self.declaration.noise, self._print)
        value = "e"
        if lines[-1].startswith("e = "):
            value = lines.pop().removeprefix("e = ")
        arguments = ", ".join(["key", "x", *self.params])
        return [self._function("_noise", arguments, "The noise e of each entry.", lines, value).replace(_RETURNS, ":")]

    @property
    def _drawn(self) -> str:
        return f"e = _noise{self.suffix}({', '.join(['key', 'x', *self.params])})"

    def sample(self, name: str = "sample") -> list[str]:
        """y ~ p(. | x), from the declared noise; a mixture picks a part; else the numerical inverse of the CDF."""
        declaration = self.declaration
        arguments = f"key: jax.Array, x: jax.Array, /{self.keywords}"
        doc, guards = "One draw y ~ p(y | x) for each entry of x.", self._guards()
        if declaration.parts:
            return self._sample_mixture(name, arguments, doc, guards)
        if declaration.noise is None:
            lines, value = density_draw_lines(declaration, self._print, self.params)
            return [self._function(name, arguments, doc, [*guards, *lines], value)]
        lines = [*guards, self._drawn]
        return [self._function(name, arguments, doc, lines, self._noise_print(declaration.noise.map))]

    def _noise_print(self, expr) -> str:
        noise = self.declaration.noise
        return JaxPrinter({**self.names, noise.variable: "e"}).doprint(stabilise(expr))

    def targets(self, dual: bool) -> list[str]:
        arguments = f"key: jax.Array, x: jax.Array, /{self.keywords}"
        pair, triple = "tuple[jax.Array, jax.Array]", "tuple[jax.Array, jax.Array, jax.Array]"
        derived = noise_targets(self.declaration)
        if derived is None:
            lines = [f"y = sample{self.suffix}(key, x{self.forwarded})"]
            out = [("target", pair, lines, f"y, score{self.suffix}(y, x{self.forwarded})")]
            if dual:
                values = f"y, score{self.suffix}(y, x{self.forwarded}), level_score{self.suffix}(y, x{self.forwarded})"
                out.append(("dual_target", triple, lines, values))
        else:
            out = [("target", pair, *self._target_lines(derived[:1]))]
            if dual:
                out.append(("dual_target", triple, *self._target_lines(derived)))
        source = "computed from the noise itself" if derived is not None else "computed at that value"
        docs = {
            "target": f"A noisy value and its score d/dy log p(y | x), {source}.",
            "dual_target": f"A noisy value, its score and d/d{self.declaration.level} log p(y | x), {source}.",
        }
        return [self._function(n, arguments, docs[n], lines, value, returns) for n, returns, lines, value in out]

    def _target_lines(self, derived) -> tuple[list[str], str]:
        noise = self.declaration.noise
        e = sp.Symbol("e", **noise.variable._assumptions_orig)
        put = {noise.variable: e}
        stable = [stabilise(d) for d in derived]
        written = (stable, [shorten(d) for d in stable], [shorten(sp.expand_mul(d)) for d in stable])
        exprs = min(([compact(d) for d in (stabilise(noise.map), *own)] for own in written), key=cost)
        exprs = [d.xreplace(put) for d in exprs]
        lines, values = self._lines(exprs, y=e)
        out = []
        for value, expr in zip(values, exprs, strict=True):
            _, value = self._checked(value, [expr + e])
            out.append(f"jnp.broadcast_to({value}, jnp.shape(e))" if e not in expr.free_symbols else value)
        return [*self._guards(), self._drawn, *lines], ", ".join(out)

    def _sample_mixture(self, name: str, arguments: str, doc: str, guards: list[str]) -> list[str]:
        parts = self.declaration.parts
        functions, calls = [], []
        for k, (part, _) in enumerate(parts):
            own = _Emitter(part, f"_of_part_{k}{self.suffix}", guarded=False)
            functions += [*own.noise(), *own.sample("_sample")]
            forwarded = "".join(f", {p.name}={p.name}" for p in part.params)
            calls.append(f"_sample{own.suffix}(keys[{k + 1}], x{forwarded})")
        lines = [
            *guards,
            f"keys = jax.random.split(key, {len(parts) + 1})",
            *self._shape_and_dtype(),
            "u = jax.random.uniform(keys[0], shape, dtype)",
            f"y = {calls[-1]}",
        ]
        cumulative = sp.S.Zero
        steps = []
        for k, (_, weight) in enumerate(parts[:-1]):
            cumulative += weight
            steps.append(f"y = jnp.where(u < {JaxPrinter(self.names)._at(cumulative, 4)}, {calls[k]}, y)")
        lines += steps[:0:-1]
        maps = [part.noise.map.free_symbols if part.noise is not None else set() for part, _ in parts]
        _, value = self._checked(steps[0].removeprefix("y = "), [sp.Add(*set.intersection(*maps))])
        return [*functions, self._function(name, arguments, doc, lines, value)]

    def fisher(self, name: str = "fisher", rule=fisher_lines, of: str = "score") -> str:
        arguments = f"x: jax.Array, /{self.keywords}"
        lines, value, shown = rule(self.declaration, self._print, self.params)
        _, value = self._checked(value, shown)
        doc = f"Fisher information E[{of}**2 | x]."
        return self._function(name, arguments, doc, [*self._guards(), *lines], value)


def _anchor(declaration: Declaration, formulas: dict[str, sp.Expr]) -> sp.Expr | None:
    """A point inside the support: the clean value itself, which costs nothing, where the formulas are smooth there."""
    anchor, y, x = declaration.anchor, declaration.noisy, declaration.clean
    if anchor is None or anchor.is_Atom:
        return anchor
    is_inside = declaration.inside.xreplace({y: x, sp.Symbol(y.name, real=True): x}) == sp.true
    there = sp.Tuple(*(e.xreplace({y: x}) for e in formulas.values()))
    powers_of_zero = any(p.base == 0 for p in there.atoms(sp.Pow))
    return anchor if not is_inside or powers_of_zero or there.has(sp.zoo, sp.oo, sp.nan, sp.sign, sp.Abs) else x


def _meanings(declaration: Declaration) -> dict[sp.Basic, str]:
    """Names of the parts of y = centre + scale*e."""
    noise = declaration.noise
    if noise is None:
        return {}
    scale = noise.map.diff(noise.variable)
    if noise.variable in scale.free_symbols or scale.is_number:
        return {}
    return {scale: "scale", scale**2: "variance", scale**-2: "precision"}
