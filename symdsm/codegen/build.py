"""From a declaration to a checked Program, and to a file."""

import keyword
import random
import re
from collections.abc import Callable
from functools import partial, singledispatch
from pathlib import Path

import jax
import mpmath
import sympy as sp

from symdsm.codegen import special
from symdsm.codegen.coupled_check import verify_coupled, verify_on_manifold
from symdsm.codegen.denoise import denoise_source
from symdsm.codegen.docstring import with_validity
from symdsm.codegen.guards import rules_of
from symdsm.codegen.layout import formatted
from symdsm.codegen.level_fisher import level_fisher_source
from symdsm.codegen.limits import limits
from symdsm.codegen.mean_score import mean_score_source
from symdsm.codegen.process import bridge_source, process_source
from symdsm.codegen.program import Program, verify_draws, verify_scores
from symdsm.codegen.source import HELPER_IMPORT, scalar_source
from symdsm.codegen.source_coupled import coupled_source
from symdsm.codegen.source_joint import joint_source
from symdsm.codegen.source_product import product_source
from symdsm.codegen.source_vector import vector_source
from symdsm.errors import CodegenError, DerivationError, FileError, RunError
from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.coupled_manifold import ManifoldDeclaration
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import require_level_score
from symdsm.symbolic.joint import JointDeclaration, joint_points
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.probe import numeric, probes, value_for
from symdsm.symbolic.product import ProductDeclaration
from symdsm.symbolic.regularity import Regularity, check_regularity
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["build_program", "module_source", "unverified_program", "write_module"]

_POINTS = 24


def module_source(declaration, digest: str) -> str:
    """The emitted module, as a formatter would leave it."""
    return formatted(_source(declaration, digest))


@singledispatch
def _source(declaration, digest: str) -> str:
    """Each kind of declaration has its own rule."""
    raise CodegenError(
        given=f"a {type(declaration).__name__}",
        expected="a declaration of this package",
        fix="use a Kernel constructor",
    )


_source.register(Declaration)(scalar_source)
_source.register(ProductDeclaration)(product_source)
_source.register(VectorDeclaration)(vector_source)
_source.register(CoupledDeclaration)(coupled_source)
_source.register(ManifoldDeclaration)(coupled_source)
_source.register(JointDeclaration)(joint_source)


def build_program(declaration, digest: str, check: Callable[[], Regularity] | None = None) -> Program:
    """Generate, load and verify the program of a kernel; `check` is its regularity check, made when it is needed."""
    program = unverified_program(declaration, digest, check)
    with jax.ensure_compile_time_eval():  # a program may be met first while something else is traced
        verify(declaration, program)
    return program


def unverified_program(declaration, digest: str, check: Callable[[], Regularity] | None = None) -> Program:
    """Generate and load the program of a kernel."""
    try:
        require_level_score(declaration)
        no_level = None
    except DerivationError as error:
        no_level = error
    return Program(
        module_source(declaration, digest),
        {s.name: rules_of(s) for s in declaration.params},
        no_level,
        {
            "posterior_mean": partial(denoise_source, declaration),
            "denoise": partial(denoise_source, declaration),
            "level_fisher": partial(level_fisher_source, declaration),
            **dict.fromkeys(("drift", "diffusion", "flow", "reverse"), partial(process_source, declaration)),
            "bridge": partial(bridge_source, declaration),
            "mean_score": lambda: mean_score_source(declaration, check() if check else check_regularity(declaration)),
        },
        _array_rules(declaration),
        limits(declaration),
    )


def _array_rules(declaration) -> dict:
    """What y and x must be; those of a product are dicts by block."""
    if isinstance(declaration, ProductDeclaration):
        clean = {name: rules_of(block.clean) for name, block in declaration.blocks}
        each = {name: () for name in clean}
        return {"x": clean, "y": each, "score": each}
    return {} if isinstance(declaration.clean, sp.MatrixBase) else {"x": rules_of(declaration.clean)}


@singledispatch
def verify(declaration, program: Program) -> None:
    """Compare the scores with autodiff at points drawn from the kernel itself."""
    rng = random.Random(1)
    level = declaration.level.name if program.has_level_score else None
    examples = []
    for _ in range(2):
        params = {p.name: value_for(p, rng) for p in declaration.params}
        examples.append((_clean_example(declaration, rng), params))
    verify_draws(program, examples, level)


def _clean_example(declaration, rng):
    clean = declaration.clean
    return [value_for(s, rng) for s in clean] if isinstance(clean, sp.MatrixBase) else value_for(clean, rng)


@verify.register
def _(declaration: JointDeclaration, program: Program) -> None:
    points = joint_points(declaration, 2, seed=1)
    if not points:
        raise _undefined(declaration.log_density)
    level = declaration.level.name if declaration.level is not None else None
    clean = declaration.clean_symbols
    examples = []
    for point in points:
        x = point[clean[0]] if len(clean) == 1 else [point[c] for c in clean]
        examples.append((x, {p.name: point[p] for p in declaration.params}))
    verify_draws(program, examples, level)


@verify.register
def _(declaration: CoupledDeclaration, program: Program) -> None:
    verify_coupled(program, declaration)


@verify.register
def _(declaration: ManifoldDeclaration, program: Program) -> None:
    verify_on_manifold(program, declaration)


@verify.register
def _(declaration: ProductDeclaration, program: Program) -> None:
    for name, block in declaration.blocks:
        _verify_entrywise(block, program.functions(f"_{name}"))


@verify.register
def _(declaration: Declaration, program: Program) -> None:
    _verify_entrywise(declaration, program.functions())


def _verify_entrywise(declaration: Declaration, functions) -> None:
    points = probes(declaration, _POINTS, seed=1, tries=12 * _POINTS)
    if not points:
        raise _undefined(declaration.log_density)
    draws = _noisy_values(declaration, points)
    named = [{("x" if s == declaration.clean else s.name): v for s, v in p.items()} for p in points]
    level = declaration.level.name if functions.level_score is not None else None
    verify_scores(functions, named, draws, level)


def _undefined(log_density) -> CodegenError:
    return CodegenError(
        given=f"a kernel for which no admissible values were found: {plain(log_density)}",
        expected="a density that is defined for some clean value and parameters of the declared assumptions",
        fix="declare each symbol's sign (positive=True), so that the density is defined",
    )


def _noisy_values(declaration, points) -> list[float]:
    """Points inside the support: images of random noise, or the anchor moved a little."""
    rng = random.Random(2)
    symbols = [declaration.clean, *declaration.params]
    noise = declaration.noise
    if noise is not None:
        image = numeric(noise.map, [noise.variable, *symbols])
        ends = [numeric(e, symbols) for e in (noise.support.start, noise.support.end)]
        return [_real(image(_within(ends, p, rng), *p.values())) for p in points]
    anchor = numeric(declaration.anchor if declaration.anchor is not None else sp.S.One, symbols)
    inside = numeric(declaration.inside, [sp.Symbol(declaration.noisy.name, real=True), *symbols])
    out = []
    for p in points:
        start, spread = _real(anchor(*p.values())), 1.0
        value = start + rng.gauss(0.0, spread)
        while not bool(inside(value, *p.values())) and spread > 1e-6:
            spread /= 2
            value = start + rng.gauss(0.0, spread)
        out.append(value if spread > 1e-6 else start)
    return out


def _within(ends, point, rng) -> float:
    low, high = (_real(e(*point.values())) for e in ends)
    if mpmath.isinf(low) and mpmath.isinf(high):
        return rng.gauss(0.0, 1.5)
    if mpmath.isinf(high):
        return low + rng.gammavariate(1.5, 1.0)
    if mpmath.isinf(low):
        return high - rng.gammavariate(1.5, 1.0)
    return low + (high - low) * rng.random()


def _real(value) -> float:
    return float(mpmath.re(value))


def write_module(declaration, digest: str, path: Path, regularity: Regularity | None = None) -> Path:
    """Write the emitted module; beside it the special-function helper when it is needed.

    Its docstring quotes `regularity`, where that is given. Raises RunError for a path that is no module's, and
    FileError when a file is in the way that symdsm did not write.
    """
    if path.suffix != ".py" or not path.stem.isidentifier() or keyword.iskeyword(path.stem):
        raise RunError(
            given=f"the path {path}",
            expected="a Python module's file name, such as speckle.py",
            fix="change the name",
        )
    source = module_source(declaration, digest)
    if regularity is not None:
        source = with_validity(source, regularity)
    texts = {path: source}
    if HELPER_IMPORT in source:
        helper = path.with_name(f"{path.stem}_special.py")
        names = set(re.findall(r"\bspecial\.(\w+)\(", source))
        texts = {helper: special.source(names), path: source.replace(HELPER_IMPORT, f"import {helper.stem} as special")}
    for file in texts:
        _refuse_foreign(file)
    path.parent.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        file.write_text(text, encoding="utf-8", newline="\n")
    return path


def _refuse_foreign(path: Path) -> None:
    """Only what symdsm wrote is overwritten."""
    if path.exists() and not (path.is_file() and b"generated by symdsm" in path.read_bytes()[:400]):
        raise FileError(
            given=f"{path}, which exists and was not written by symdsm",
            expected="a new file, or one that symdsm wrote",
            fix="choose another name, or remove the file",
        )
