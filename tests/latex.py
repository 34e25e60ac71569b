"""Does a stock LaTeX compile a text, and does it fit the page?"""

import re
import shutil
import subprocess

import pytest

__all__ = ["assert_compiles"]

_TOLERATED = 10.0  # points beyond the margin


def assert_compiles(text: str, folder) -> None:
    """pdflatex ends without an error, and no line sticks out of the page. Skips where there is no pdflatex."""
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base, texlive-latex-recommended)")
    (folder / "proof.tex").write_text(text, encoding="ascii")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "proof.tex"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=120)
    assert done.returncode == 0, done.stdout[-2000:]
    assert (folder / "proof.pdf").exists()
    wide = [float(points) for points in re.findall(r"Overfull \\hbox \(([\d.]+)pt too wide\)", done.stdout)]
    assert max(wide, default=0.0) <= _TOLERATED, done.stdout
