"""Runs that are stopped and go on: the draws of one that was not, and records that are refused."""

import itertools
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest

from symdsm.errors import SamplingError
from symdsm.inference import checkpoint
from symdsm.inference.sampling import sample
from symdsm.learning import arrays as files

Y = jnp.array([1.0, 2.0])


def program(y, sd=1.0):
    """jax.nn.silu has a derivative of its own, whose function has an address in the text of the program."""
    mean = numpyro.sample("mean", dist.Normal(0.0, 1.0))
    numpyro.sample("y", dist.Normal(mean, sd), obs=y)
    numpyro.factor("bent", -jax.nn.silu(mean))


def wider(y):
    program(y, sd=2.0)


def run(path=None, y=Y, seed=0, program=program, **options):
    options = dict(chains=2, draws=200, warmup=100, method="mala", progress=False) | options
    return sample(program, y, key=jax.random.key(seed), checkpoint=path, **options)


def draws(tree):
    return np.asarray(tree["posterior"]["mean"])


def parts(path):
    return sorted(part.name for part in path.iterdir())


@pytest.fixture(scope="module")
def whole():
    return draws(run())


@pytest.fixture
def recorded(tmp_path, monkeypatch, whole):
    """A finished record, with a part for each result."""
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    np.testing.assert_array_equal(draws(run(tmp_path)), whole)
    return tmp_path


def full(*_):
    raise OSError(28, "No space left on device")


def test_a_finished_run_is_read_and_one_cut_anywhere_goes_on(recorded, whole, monkeypatch):
    names = parts(recorded)
    assert names == [f"{n:06d}" for n in range(13)]  # the start, 4 pieces of warm-up, 8 of draws
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "replace", full)  # nothing is written, since nothing is computed
        np.testing.assert_array_equal(draws(run(recorded)), whole)
    for cut in (7, 0):
        for name in names[cut + 1 :]:
            shutil.rmtree(recorded / name)
        (recorded / names[cut] / "meta.json").unlink()  # as a kill between the two files of a part leaves it
        np.testing.assert_array_equal(draws(run(recorded)), whole)
        assert parts(recorded) == names


KILLED = """
import os, signal, sys
from pathlib import Path
from symdsm.learning import arrays
from tests.inference.test_checkpoint import checkpoint, run

replace = os.replace

def fatal(part, path):
    if str(path).endswith("000006/meta.json"):
        os.kill(os.getpid(), signal.SIGKILL)
    replace(part, path)

arrays.os.replace, checkpoint.SECONDS = fatal, 0.0
run(Path(sys.argv[1]))
"""


@pytest.mark.slow
def test_a_killed_process_is_continued_by_another(tmp_path, whole):
    """Killed between the two files of a part; the other process has other addresses and another order of sets."""
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": str(root), "PYTHONHASHSEED": "7"}
    child = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], env=environment, timeout=300, check=False)
    assert child.returncode == -signal.SIGKILL
    assert [(tmp_path / name / "meta.json").exists() for name in parts(tmp_path)] == 6 * [True] + [False]
    np.testing.assert_array_equal(draws(run(tmp_path)), whole)


@pytest.mark.parametrize(
    "change, words",
    [
        ({"seed": 1}, r"a run with key=\w+\nExpected: a run with key=\w+, as in this call"),
        ({"draws": 300}, r"draws=200\nExpected: a run with draws=300"),
        ({"y": Y + 1}, r"data=\w+, constants=\w+\n"),
        ({"y": jnp.ones(3)}, "program=.* data="),
        ({"program": wider}, r"a run with program=\w+\n"),
        ({"init": {"mean": jnp.ones(())}}, r"a run with start=\w+\n"),
        ({"method": "nuts", "warmup": 50}, "method=mala, warmup=100"),
    ],
)
def test_a_record_of_another_run_is_refused(recorded, change, words):
    with pytest.raises(SamplingError, match=words):
        run(recorded, **change)


def truncated(part):
    file = next(part.glob("*.npz"))
    file.write_bytes(file.read_bytes()[:200])


def flipped(part):
    file = next(part.glob("*.npz"))
    content = bytearray(file.read_bytes())
    content[150] ^= 1
    file.write_bytes(content)


def emptied(part):
    next(part.glob("*.npz")).write_bytes(b"")


def swapped(part):
    shutil.rmtree(part)
    shutil.copytree(part.parent / "000000", part)


def foreign(part):
    files.write(part, {"a": np.ones(3)}, {"what": "fit"})


@pytest.mark.parametrize("spoil", [truncated, flipped, emptied, swapped, foreign])
def test_a_damaged_record_is_named_and_can_be_cut_there(recorded, whole, spoil):
    spoil(recorded / "000009")
    with pytest.raises(SamplingError, match="000009, which .*\n.*\n.*delete .*000009: the run goes on"):
        run(recorded)
    shutil.rmtree(recorded / "000009")
    np.testing.assert_array_equal(draws(run(recorded)), whole)


def test_a_folder_that_cannot_be_made_is_refused_before_the_run(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SamplingError, match="no folder can be made"):
        run(tmp_path / "file")


def test_a_full_disk_does_not_stop_the_run_and_nothing_is_lost(tmp_path, whole, monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    fsync, count = files.os.fsync, itertools.count()
    monkeypatch.setattr(files.os, "fsync", lambda file: full() if 5 < next(count) < 9 else fsync(file))
    with pytest.warns(UserWarning, match="sampling goes on.*\n*.*No space left"):
        np.testing.assert_array_equal(draws(run(tmp_path)), whole)
    assert len(parts(tmp_path)) < 13
    np.testing.assert_array_equal(draws(run(tmp_path)), whole)
