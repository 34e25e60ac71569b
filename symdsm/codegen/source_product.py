"""The module of independent blocks: each block's functions under its own name, and their sums and dicts."""

from symdsm.codegen.docstring import module_docstring
from symdsm.codegen.source import block_formulas, block_functions, module_text, remarks
from symdsm.symbolic.product import ProductDeclaration

__all__ = ["product_source"]


def product_source(declaration: ProductDeclaration, digest: str) -> str:
    """log_prob, level_score and fisher add the blocks; score, sample and targets are dicts of the blocks' arrays."""
    functions, rows = [], []
    for k, (name, block) in enumerate(declaration.blocks):
        functions += block_functions(block, f"_{name}")
        given = "".join(f", {p.name}={p.name}" for p in block.params)
        rows.append((name, k, given, block.level is not None))
    keywords = ", ".join(f"{p.name}: jax.Array | float" for p in declaration.params)
    keywords = f", *, {keywords}" if keywords else ""
    dual = declaration.level is not None and declaration.normalised is True
    functions += _combined(rows, keywords, dual, len(rows))
    return module_text(_docstring(declaration, digest), functions)


def _docstring(declaration: ProductDeclaration, digest: str) -> str:
    names = " * ".join(f"p(y_{name} | x_{name})" for name, _ in declaration.blocks)
    formulas, notes = [], ["The blocks are independent: log densities and level scores add."]
    for name, block in declaration.blocks:
        formulas += [named(lhs, name, rhs) for lhs, rhs in block_formulas(block)]
        notes.append(f"{name}: {remarks(block)}")
    return module_docstring(f"Noise kernel {names}", digest, formulas, notes)


def named(left: tuple[str, str], name: str, right: tuple[str, str]):
    """The formula with the block's name beside it."""
    return (f"{name}: {left[0]}", rf"\text{{{name}:}}\quad {left[1]}"), right


def _combined(rows, keywords, dual, count) -> list[str]:
    y_x, key_x = f"y: dict, x: dict, /{keywords}", f"key: jax.Array, x: dict, /{keywords}"

    def total(function, of_y=True, only=None):
        chosen = [r for r in rows if only is None or r[3]]
        first = 'y["{0}"], ' if of_y else ""
        return " + ".join(f'{function}_{n}({first.format(n)}x["{n}"]{given})' for n, _, given, _ in chosen)

    def each(function, first):
        return ", ".join(f'"{n}": {function}_{n}({first.format(n=n, k=k)}, x["{n}"]{given})' for n, k, given, _ in rows)

    def written(name, arguments, doc, returns, *lines):
        return f'def {name}({arguments}) -> {returns}:\n    """{doc}"""\n' + "\n".join(f"    {line}" for line in lines)

    split = f"keys = jax.random.split(key, {count})"
    pairs = f"pairs = {{{each('target', 'keys[{k}]')}}}"
    given = rows_given(keywords)
    out = [
        written("log_prob", y_x, "log p(y | x), the sum over the blocks.", "jax.Array", f"return {total('log_prob')}"),
        written(
            "score",
            y_x,
            "d/dy log p(y | x), a dict.",
            "dict",
            f"return {{{each('score', 'y[{n!r}]')}}}".replace("'", '"'),
        ),
        written("sample", key_x, "One draw of each block.", "dict", split, f"return {{{each('sample', 'keys[{k}]')}}}"),
        written(
            "target",
            key_x,
            "Noisy values and their scores, two dicts.",
            "tuple[dict, dict]",
            split,
            pairs,
            "return {n: p[0] for n, p in pairs.items()}, {n: p[1] for n, p in pairs.items()}",
        ),
        written(
            "fisher",
            f"x: dict, /{keywords}",
            "The sum of the blocks' informations.",
            "jax.Array",
            f"return {total('fisher', of_y=False)}",
        ),
    ]
    if dual:
        out.append(
            written(
                "level_score", y_x, "d/dlevel log p(y | x).", "jax.Array", f"return {total('level_score', only=True)}"
            )
        )
        out.append(
            written(
                "dual_target",
                key_x,
                "Noisy values, scores and the level score.",
                "tuple[dict, dict, jax.Array]",
                f"y, slopes = target(key, x{given})",
                f"return y, slopes, level_score(y, x{given})",
            )
        )
    return out


def rows_given(keywords: str) -> str:
    names = [part.split(":")[0].strip() for part in keywords.removeprefix(", *, ").split(", ") if part]
    return "".join(f", {n}={n}" for n in names)
