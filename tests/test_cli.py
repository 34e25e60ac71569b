"""The command line: what it prints, and how it fails."""

import subprocess
import sys

import pytest

import symdsm
from symdsm.cli import main


def test_the_version(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.strip() == f"symdsm {symdsm.__version__}"


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["run", "model.py"], ["derive"]])
def test_wrong_usage_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "usage: symdsm" in capsys.readouterr().err


def test_a_run_of_a_model(tmp_path, capsys):
    model = tmp_path / "model.py"
    model.write_text("def main(run):\n    run.note(answer=run.stage('answer', lambda: 42))\n")
    assert main(["run", str(model), "--out", str(tmp_path / "out"), "--seed", "5"]) == 0
    assert "answer = 42" in capsys.readouterr().out
    assert main(["run", str(model), "--out", str(tmp_path / "out"), "--seed", "5"]) == 2
    shown = capsys.readouterr()
    assert "RunError" in shown.err and "--seed 5 --resume" in shown.err and "Traceback" not in shown.err


def test_a_report_needs_a_run_that_came_so_far(tmp_path, capsys):
    assert main(["report", str(tmp_path)]) == 2
    assert "no run.json" in capsys.readouterr().err
    model = tmp_path / "model.py"
    model.write_text("def main(run):\n    pass\n")
    main(["run", str(model), "--out", str(tmp_path / "out")])
    assert main(["report", str(tmp_path / "out")]) == 2
    assert "has not come to its report" in capsys.readouterr().err


def test_derive_shows_the_score_and_writes_a_module_that_needs_no_sympy(tmp_path, capsys):
    path = tmp_path / "gaussian.py"
    assert main(["derive", "Normal(x, sigma)", "--level", "sigma", "--write", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "d/dy log p" in shown and "d/dsigma log p" in shown
    code = (
        "import sys, gaussian; print(float(gaussian.score(1.0, 3.0, sigma=2.0))); "
        "assert not {'sympy', 'symdsm'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout) == pytest.approx(0.5)


@pytest.mark.slow
def test_derive_writes_the_proof(tmp_path, capsys):
    for name, first in (("proof.tex", r"\documentclass{article}"), ("proof.md", "# Denoising score matching")):
        assert main(["derive", "Laplace(x, sigma)", "--proof", str(tmp_path / name)]) == 0
        assert "Proof written to" in capsys.readouterr().out
        assert (tmp_path / name).read_text().startswith(first)


@pytest.mark.parametrize(("path", "words"), [("proof.pdf", ".tex or .md"), ("nowhere/proof.tex", "cannot be written")])
def test_a_proof_that_cannot_be_written(path, words, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("symdsm.kernel.Kernel.proof", lambda kernel, format: "text")
    assert main(["derive", "Normal(x, sigma)", "--proof", str(tmp_path / path)]) == 2
    assert words in capsys.readouterr().err


def test_check_says_when_the_identity_fails(capsys):
    assert main(["check", "Normal(x, sigma)"]) == 0
    assert main(["check", "x + Exponential(1)"]) == 0
    assert "edge" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("__import__('os')", "'_' at position 0"),
        ("x + nonsense(2)", "nonsense"),
        ("x +", "end of the formula"),
        ("2*x", "no distribution"),
    ],
)
def test_an_expression_that_is_no_kernel(expression, word, capsys):
    assert main(["derive", expression]) == 2
    assert word in capsys.readouterr().err
