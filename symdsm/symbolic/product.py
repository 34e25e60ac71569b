"""Independent blocks: log p(y | x) = sum_k log p_k(y_k | x_k); clean and noisy values are dicts of arrays.

The score of a block is its own kernel's score; a parameter of one name is one parameter, in whichever blocks it stands.
"""

from dataclasses import dataclass, field, replace

import sympy as sp

from symdsm.errors import DeclarationError
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.derive import level_score, require_level_score, score
from symdsm.symbolic.information import Information, derived_information, fisher_information
from symdsm.symbolic.nodes import plain
from symdsm.symbolic.regularity import Finding, Regularity, check_regularity, level_variance

__all__ = ["ProductDeclaration", "level_informations_add", "product"]


@dataclass(frozen=True)
class ProductDeclaration:
    """Named scalar blocks."""

    blocks: tuple[tuple[str, Declaration], ...]
    level: sp.Symbol | None
    source: tuple = field(default=(), compare=False)

    event_ndim = 0

    def _own(self, name: str, block: Declaration) -> dict:
        """The block's y and x under names that tell the blocks apart."""
        return {s: sp.Symbol(f"{s.name}_{name}", **s._assumptions_orig) for s in (block.noisy, block.clean)}

    def each(self, rule, of=None) -> dict:
        """rule(block) for each block, in symbols that tell the blocks apart."""
        chosen = [(n, b) for n, b in self.blocks if of is None or b in of]
        return {name: rule(block).xreplace(self._own(name, block)) for name, block in chosen}

    @property
    def noisy(self) -> dict:
        return self.each(lambda b: b.noisy)

    @property
    def clean(self) -> dict:
        return self.each(lambda b: b.clean)

    @property
    def support(self) -> dict:
        return self.each(lambda b: b.support)

    @property
    def params(self) -> tuple[sp.Symbol, ...]:
        return tuple(sorted({p for _, b in self.blocks for p in b.params}, key=lambda s: s.name))

    @property
    def normalised(self) -> bool | None:
        flags = {b.normalised for _, b in self.blocks}
        return True if flags == {True} else False if False in flags else None

    @property
    def log_density(self) -> sp.Expr:
        return sp.Add(*self.each(lambda b: plain(b.log_density)).values())


def product(blocks: dict[str, Declaration], source: tuple) -> ProductDeclaration:
    """Raises DeclarationError for block names that are no names, and for symbols of one name that differ."""
    seen: dict[str, sp.Symbol] = {}
    for name, block in blocks.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise DeclarationError(
                given=f"a block called {name!r}", expected="a Python name", fix='use {"speed": k1, "angle": k2}'
            )
        for p in block.params:
            if seen.setdefault(p.name, p) != p:
                raise DeclarationError(
                    given=f"two different parameters called {p.name!r} in the blocks",
                    expected="one symbol per name, with one set of assumptions",
                    fix=f"create {p.name} once and use that object everywhere",
                )
    levels = {b.level for b in blocks.values() if b.level is not None}
    if len(levels) > 1:
        raise DeclarationError(
            given=f"blocks with different levels: {', '.join(sorted(s.name for s in levels))}",
            expected="one level for the whole kernel",
            fix="write one level in terms of the other: block.subs({kappa: 1/sigma**2}), say",
        )
    return ProductDeclaration(tuple(sorted(blocks.items())), levels.pop() if levels else None, source)


@score.register
def _(declaration: ProductDeclaration) -> dict:
    return declaration.each(score)


@level_score.register
def _(declaration: ProductDeclaration) -> sp.Expr:
    require_level_score(declaration)
    return sp.Add(*declaration.each(level_score, of=[b for _, b in declaration.blocks if b.level is not None]).values())


def level_informations_add(declaration: ProductDeclaration) -> bool:
    """E (sum of level scores)^2 is the sum of the squares' where all means but one are zero.

    A mean is not zero where an edge moves with the level and the level score has a variance.
    """
    blocks = [block for _, block in declaration.blocks if block.level is not None]
    return len(blocks) < 2 or sum(map(_has_a_mean, blocks)) < 2


def _has_a_mean(block: Declaration) -> bool:
    return check_regularity(block).level_holds is sp.false and level_variance(block) is not sp.false


@derived_information.register
def _(declaration: ProductDeclaration) -> Information:
    """The sum over the blocks, finite where every block's is."""
    own = {name: fisher_information(block) for name, block in declaration.blocks}
    missing = [f"{name}: {found.method}" for name, found in own.items() if found.expr is None]
    if missing:
        return Information(None, sp.true, "; ".join(missing))
    expr, condition = (declaration.each(lambda b, of=of: getattr(fisher_information(b), of)).values()
                       for of in ("expr", "condition"))  # fmt: skip
    whole = Information(sp.Add(*expr), sp.And(*condition), "the sum over the blocks")
    levelled = [b for _, b in declaration.blocks if b.level is not None]
    if any(fisher_information(b).level_expr is None for b in levelled) or not levelled:
        return whole
    if not level_informations_add(declaration):
        return replace(whole, level_method="the blocks' level scores have means that are not zero, and do not add")
    level_expr, level_condition = (
        declaration.each(lambda b, of=of: getattr(fisher_information(b), of), of=levelled).values()
        for of in ("level_expr", "level_condition")
    )
    return replace(whole, level_expr=sp.Add(*level_expr), level_condition=sp.And(*level_condition))


@check_regularity.register
def _(declaration: ProductDeclaration) -> Regularity:
    findings, own = [], {name: check_regularity(block) for name, block in declaration.blocks}
    for name, found in own.items():
        findings += [replace(f, reason=f"{name}: {f.reason}") for f in found.findings if f.row != "mean"]
    means = declaration.each(lambda block: next(own[n].mean_score for n, b in declaration.blocks if b is block),
                             of=[b for n, b in declaration.blocks if own[n].mean_score is not None])  # fmt: skip
    whole = len(means) == len(own)
    text = f"E[score | x] = {means}" if whole else "it is not known for every block"
    verdict, when, value = ("proven", sp.true, means) if whole else ("unknown", None, None)
    findings.append(Finding("mean", verdict, when, text, value=value))
    return Regularity(
        tuple(findings), declaration.clean, declaration.level, declaration.params, declaration=declaration
    )
