r"""A short mathematical text in two formats: LaTeX (article, geometry, amsmath, amssymb) and Markdown.

Words hold inline formulae between dollar signs, which both formats read. `Raw` is text from elsewhere, a finding of
the check say, and is escaped. Displays are align* environments with a tag on the lines that the text cites.
"""

from dataclasses import dataclass, field

from symdsm.errors import ParameterError
from symdsm.symbolic.proof_tex import escaped

__all__ = ["Display", "Document", "Items", "Raw", "Row", "Section", "Words"]


@dataclass(frozen=True)
class Raw:
    """Text that holds no markup."""

    text: str


class Words:
    """A paragraph: text with formulae between dollar signs, and raw text."""

    def __init__(self, *parts: str | Raw):
        self.parts = parts

    def latex(self) -> str:
        return "".join(escaped(p.text) if isinstance(p, Raw) else p for p in self.parts)

    def markdown(self) -> str:
        return "".join(_quoted(p.text) if isinstance(p, Raw) else p for p in self.parts)


def _quoted(text: str) -> str:
    return "".join(f"\\{c}" if c in "\\`*_{}[]<>#$|" else c for c in text)


@dataclass(frozen=True)
class Items:
    """A list of paragraphs."""

    items: tuple[Words, ...]

    def latex(self) -> str:
        rows = "\n".join(rf"\item {item.latex()}" for item in self.items)
        return f"\\begin{{itemize}}\n{rows}\n\\end{{itemize}}"

    def markdown(self) -> str:
        return "\n".join(f"- {item.markdown()}" for item in self.items)


@dataclass(frozen=True)
class Row:
    """left = right, the right-hand side in one or several lines."""

    left: str
    right: tuple[str, ...]
    tag: int | None = None

    def latex(self) -> str:
        mark = "" if self.tag is None else rf" \tag{{{self.tag}}}"
        head, *rest = self.right
        lines = [f"{self.left} &= {head}", *(rf"&\quad {line}" for line in rest)]
        return " \\\\\n".join([*lines[:-1], lines[-1] + mark])


@dataclass(frozen=True)
class Display:
    """Aligned equations. Made by `proof_steps.display`, which verifies each, or as definitions."""

    rows: tuple[Row, ...]

    def latex(self) -> str:
        body = " \\\\\n".join(row.latex() for row in self.rows)
        return f"\\begin{{align*}}\n{body}\n\\end{{align*}}"

    def markdown(self) -> str:
        return f"$$\n{self.latex()}\n$$"


@dataclass(frozen=True)
class Section:
    """A title and what stands under it."""

    title: str
    blocks: tuple[Words | Items | Display, ...]


@dataclass(frozen=True)
class Document:
    """The whole text; `proven` is False when it stops at a condition that fails or is not known."""

    title: str
    sections: tuple[Section, ...] = field(default=())
    proven: bool = True

    def text(self, format: str) -> str:
        """The document as "latex" or as "markdown". Raises ParameterError for another format."""
        if format not in ("latex", "markdown"):
            raise ParameterError(
                given=f"format={format!r}", expected='"latex" or "markdown"', fix='pass format="markdown", say'
            )
        return self.latex() if format == "latex" else self.markdown()

    def latex(self) -> str:
        """A document that compiles by itself."""
        body = "\n\n".join(
            "\n\n".join([rf"\section{{{s.title}}}", *(b.latex() for b in s.blocks)]) for s in self.sections
        )
        return (
            "\\documentclass{article}\n\\usepackage[margin=1in]{geometry}\n\\usepackage{amsmath,amssymb}\n"
            "\\allowdisplaybreaks\n\\emergencystretch=3em\n"
            f"\\title{{{self.title}}}\n\\author{{}}\n\\date{{}}\n"
            f"\\begin{{document}}\n\\maketitle\n\n{body}\n\n\\end{{document}}\n"
        )

    def markdown(self) -> str:
        """For notebooks and web pages that set formulae between dollar signs."""
        parts = [f"# {self.title}"]
        for section in self.sections:
            parts += [f"## {section.title}", *(b.markdown() for b in section.blocks)]
        return "\n\n".join(parts) + "\n"
