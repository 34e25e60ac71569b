"""Every Python block of the README runs, in order, in one namespace; links inside the repository exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_the_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "readme"}
    for number, block in enumerate(BLOCKS, start=1):
        exec(compile(block, f"README.md, block {number}", "exec"), names)
    place = names["posterior"]["posterior"]["place"]
    assert (place.sizes["chain"], place.sizes["draw"]) == (4, 500)
    # Exact: log odds log 4 + (1.5^2 - 2.5^2) / (2 * 4.1) = 0.90, so 71% lie left of zero.
    assert 0.5 < float((place < 0).mean()) < 0.9


def test_there_is_code_and_it_is_short():
    assert BLOCKS
    assert all(block.strip().count("\n") < 30 for block in BLOCKS)


def test_the_two_commands_are_on_the_first_screen():
    first = "\n".join(README.splitlines()[:40])
    assert "make demo" in first and "make test" in first


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:|#)([^)]+)\)", README))))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
