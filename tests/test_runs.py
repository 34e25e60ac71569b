"""A run computes each stage once, keeps it, says how to go on, and never writes over another run."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from types import SimpleNamespace

import jax
import numpy as np
import pytest

from symdsm.errors import RunError
from symdsm.runs import Run, run_file

MODEL = """
import jax

def main(run):
    calls = run.out.parent / "calls"
    def draw():
        calls.write_text(calls.read_text() + "draw\\n" if calls.exists() else "draw\\n")
        return jax.random.normal(run.key("draw"), (3,))
    first = run.stage("first", draw)
    total = run.stage("total", lambda: float(sum(first)))
    run.note(total=total)
"""


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return path


def record(folder):
    return json.loads((folder / "run.json").read_text())


def test_the_record_says_what_made_the_folder(model, tmp_path):
    run_file(model, tmp_path / "out", seed=3)
    found = record(tmp_path / "out")
    assert found["status"] == "finished"
    assert (found["model"], found["seed"]) == (model.as_posix(), 3)
    assert found["stages"] == {"first": "first.json", "total": "total.json"}
    assert found["versions"]["jax"] == jax.__version__
    assert found["seconds"].keys() == {"first", "total", "all"}
    expected = float(jax.random.normal(Run(model, tmp_path / "x", seed=3).key("draw"), (3,)).sum())
    assert found["total"] == pytest.approx(expected, rel=1e-5)


def test_the_same_seed_gives_the_same_figures_and_another_seed_others(model, tmp_path):
    totals = []
    for folder, seed in [("a", 0), ("b", 0), ("c", 1)]:
        run_file(model, tmp_path / folder, seed=seed)
        totals.append(record(tmp_path / folder)["total"])
    assert totals[0] == totals[1] != totals[2]


def test_keys_depend_on_the_seed_and_the_name_only(model, tmp_path):
    def bits(seed, name):
        return tuple(np.asarray(jax.random.key_data(Run(model, tmp_path / "x", seed=seed).key(name))))

    assert bits(0, "a") == bits(0, "a")
    assert len({bits(0, "a"), bits(0, "b"), bits(1, "a"), bits(1, "b")}) == 4


def test_resume_computes_only_what_is_missing(model, tmp_path):
    run_file(model, tmp_path / "out")
    before = record(tmp_path / "out")
    (tmp_path / "out" / "total.json").unlink()
    run_file(model, tmp_path / "out", resume=True)
    assert (tmp_path / "calls").read_text() == "draw\n"
    after = record(tmp_path / "out")
    assert after["total"] == before["total"]
    assert after["started"] == before["started"]


def test_resume_of_nothing_is_a_fresh_run(model, tmp_path):
    run_file(model, tmp_path / "out", resume=True)
    assert record(tmp_path / "out")["status"] == "finished"


def test_a_posterior_is_kept_as_netcdf(tmp_path, model):
    arviz = pytest.importorskip("arviz")
    values = np.random.default_rng(0).normal(size=(2, 5, 3))
    tree = arviz.from_dict({"posterior": {"a": values}})
    with Run(model, tmp_path / "out") as run:
        run.stage("posterior", lambda: tree)
    with Run(model, tmp_path / "out", resume=True) as run:
        again = run.stage("posterior", lambda: pytest.fail("computed twice"))
    np.testing.assert_array_equal(again["posterior"]["a"], values)
    np.testing.assert_array_equal(arviz.from_netcdf(tmp_path / "out" / "posterior.nc")["posterior"]["a"], values)


def test_a_stage_that_fails_leaves_no_half_written_file(tmp_path, model):
    with pytest.raises(TypeError), Run(model, tmp_path / "out") as run:
        run.stage("whole", lambda: [1, 2])
        run.stage("half", lambda: object())
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"run.json", "whole.json", ".lock"}
    assert record(tmp_path / "out")["status"] == "failed"


@pytest.mark.parametrize("cut_short", [SimpleNamespace(interrupted=True), SimpleNamespace(attrs={"partial": 1})])
def test_a_result_that_was_cut_short_is_no_finished_stage(cut_short, tmp_path, model):
    with pytest.raises(KeyboardInterrupt), Run(model, tmp_path / "out") as run:
        run.stage("fit", lambda: cut_short)
    assert record(tmp_path / "out")["status"] == "interrupted"
    assert record(tmp_path / "out")["stages"] == {}


def occupied(model, out):
    run_file(model, out)
    return {"model": model, "out": out}


def other_seed(model, out):
    run_file(model, out)
    return {"model": model, "out": out, "seed": 1, "resume": True}


def other_text(model, out):
    run_file(model, out)
    model.write_text(MODEL + "\n# another line\n")
    return {"model": model, "out": out, "resume": True}


def other_model(model, out):
    run_file(model, out)
    other = model.with_name("other.py")
    other.write_text("def main(run): pass")
    return {"model": other, "out": out}


def no_run(model, out):
    out.mkdir()
    (out / "thesis.tex").write_text("precious")
    return {"model": model, "out": out}


def a_file(model, out):
    out.write_text("precious")
    return {"model": model, "out": out}


def broken_record(model, out):
    out.mkdir()
    (out / "run.json").write_text("{")
    return {"model": model, "out": out, "resume": True}


def no_model(model, out):
    return {"model": model.with_name("missing.py"), "out": out}


def no_main(model, out):
    model.write_text("x = 1")
    return {"model": model, "out": out}


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (occupied, ["the run of", "seed 0", "finished", "--resume", "another folder"]),
        (other_seed, ["seed 1", "another seed", "another folder"]),
        (other_text, ["another text of the model file"]),
        (other_model, ["model.py", "another folder"]),
        (no_run, ["no run", "another folder"]),
        (a_file, ["no run", "another folder"]),
        (broken_record, ["not JSON", "another folder"]),
        (no_model, ["missing.py", "exists"]),
        (no_main, ["no main", "main(run)"]),
    ],
)
def test_a_folder_or_model_that_cannot_be_used(prepare, words, model, tmp_path):
    with pytest.raises(RunError) as caught:
        run_file(**prepare(model, tmp_path / "out"))
    assert all(word in str(caught.value) for word in words)


def test_nothing_foreign_is_touched(model, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(RunError):
        run_file(**no_run(model, out))
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]


def test_two_runs_cannot_share_a_folder(model, tmp_path):
    with Run(model, tmp_path / "out"), pytest.raises(RunError, match="at work"):
        Run(model, tmp_path / "out", resume=True).__enter__()


def test_interrupt_keeps_what_was_done_and_says_how_to_go_on(tmp_path):
    model = tmp_path / "model.py"
    model.write_text(
        textwrap.dedent("""
        import time

        def main(run):
            def second():
                run.checkpoint("second").mkdir(exist_ok=True)
                if not run.resume:
                    time.sleep(60)
                return 2
            run.stage("first", lambda: 1)
            run.stage("second", second)
        """)
    )
    command = [sys.executable, "-m", "symdsm.cli", "run", str(model), "--out", str(tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not (tmp_path / "out" / "second.unfinished").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(0.2)
    os.kill(process.pid, signal.SIGINT)
    shown, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in shown + errors
    assert "Finished stages: first, second half done." in shown
    assert f"symdsm run {model} --out {tmp_path / 'out'} --resume" in shown
    assert record(tmp_path / "out")["status"] == "interrupted"
    run_file(model, tmp_path / "out", resume=True)
    assert record(tmp_path / "out")["stages"] == {"first": "first.json", "second": "second.json"}
    assert not (tmp_path / "out" / "second.unfinished").exists()
