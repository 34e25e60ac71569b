"""The written proof that denoising score matching is valid for one kernel.

    the kernel and its score          the two objectives and the claim     the proof, line by line
    the Fisher information            the mean of the target               the level score
    the denoiser                      the objective in the noise

The general lines are in symbolic/proof_chain.py; each kind of declaration brings its own formulae and the numbers that
verify them. Nothing is printed that was not verified, and a text whose conditions fail, or are not known, says where
and stops. Source: Vincent, Neural Computation 23 (2011), and its proposition 1.
"""

from functools import singledispatch

import sympy as sp

from symdsm.symbolic.coupled import CoupledDeclaration
from symdsm.symbolic.coupled_manifold import ManifoldDeclaration
from symdsm.symbolic.declaration import Declaration
from symdsm.symbolic.findings import Regularity
from symdsm.symbolic.joint import JointDeclaration
from symdsm.symbolic.product import ProductDeclaration
from symdsm.symbolic.proof_chain import equivalence, statement, title_of
from symdsm.symbolic.proof_coupled import CoupledSubject
from symdsm.symbolic.proof_document import Document, Raw, Section, Words
from symdsm.symbolic.proof_joint import JointSubject
from symdsm.symbolic.proof_manifolds import ManifoldSubject
from symdsm.symbolic.proof_objective import objective_section
from symdsm.symbolic.proof_scalar import ScalarSubject
from symdsm.symbolic.proof_tex import Writer
from symdsm.symbolic.proof_vector import VectorSubject
from symdsm.symbolic.regularity import check_regularity
from symdsm.symbolic.vector import VectorDeclaration

__all__ = ["proof"]

_PSI = (r"\psi", r"\varphi", r"h_\theta")
_Q = ("q", r"\bar{p}", r"q_{\mathrm{noisy}}")


@singledispatch
def proof(declaration: Declaration, regularity: Regularity) -> Document:
    """The proof for a scalar kernel; other kinds of declarations register their own.

    Raises DerivationError when an equation does not pass its verification.
    """
    subject = _subject(declaration, {}, regularity)
    sections, proven = _scalar_sections(subject, regularity)
    return Document(title_of(subject), sections, proven)


def _subject(declaration: Declaration, names: dict, regularity: Regularity) -> ScalarSubject:
    taken = {s.name for s in (declaration.noisy, declaration.clean, *declaration.params)}
    if declaration.noise is not None:
        e = declaration.noise.variable
        free = [n for n in (e.name.lstrip("_"), "e", "z", "r", "u") if n and n not in taken]
        names = {e: sp.Symbol(free[0] if free else "e_1", real=True)} | names
    psi = next(p for p in _PSI if p.lstrip("\\") not in taken)
    q = next(p for p in _Q if p not in taken)
    found = (regularity.holds, regularity.identity_holds, sp.true)
    conditions = tuple(c for c in found if c is not None and c is not sp.false)
    return ScalarSubject(declaration, Writer(names), conditions, psi, q)


def _scalar_sections(subject: ScalarSubject, regularity: Regularity) -> tuple[tuple[Section, ...], bool]:
    chain, proven = equivalence(subject, regularity)
    sections = [subject.kernel_section(), statement(subject), chain]
    if proven:
        sections.append(subject.information_section(regularity))
        more = subject.mean_section(regularity), subject.level_section(regularity), subject.denoiser_section()
        sections += [s for s in more if s is not None]
        sections.append(objective_section(subject))
    return tuple(sections), proven


@proof.register
def _(declaration: CoupledDeclaration, regularity: Regularity) -> Document:
    return CoupledSubject(declaration, Writer({})).document(regularity)


@proof.register
def _(declaration: VectorDeclaration, regularity: Regularity) -> Document:
    return VectorSubject(declaration, Writer({})).document(regularity)


@proof.register
def _(declaration: ManifoldDeclaration, regularity: Regularity) -> Document:
    return ManifoldSubject(declaration, Writer({})).document(regularity)


@proof.register
def _(declaration: JointDeclaration, regularity: Regularity) -> Document:
    return JointSubject(declaration, Writer({})).document(regularity)


@proof.register
def _(declaration: ProductDeclaration, regularity: Regularity) -> Document:
    """Block by block: independent blocks add their objectives and their constants."""
    names = ", ".join(f"{name} ({k})" for k, (name, _) in enumerate(declaration.blocks, 1))
    title, first = "Independent blocks", "The noisy value has blocks, numbered as in the formulae: "
    words = (
        r". The log density, and so $\|\psi - \nabla \log p\|^2$, is the sum over the blocks; a block of $\psi$ is any "
        "function of all noisy blocks. Given the others, each block is the kernel below, and both objectives and $C$ "
        "add up."
    )
    sections = [Section(title, (Words(first, Raw(names), words),))]
    proven = True
    for k, (name, block) in enumerate(declaration.blocks, 1):
        names = {s: sp.Symbol(f"{s.name}_{k}", real=True) for s in (block.noisy, block.clean)}
        own = check_regularity(block)
        inner, done = _scalar_sections(_subject(block, names, own), own)
        sections += [Section(f"Block {_plain(name)}: {s.title[0].lower()}{s.title[1:]}", s.blocks) for s in inner]
        proven = proven and done
    return Document("Denoising score matching for independent blocks", tuple(sections), proven)


def _plain(name: str) -> str:
    return name.replace("_", " ")
