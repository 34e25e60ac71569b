import json

import jax.numpy as jnp
import numpy as np
import pytest

from symdsm.errors import FitError
from symdsm.learning import arrays as files


def test_round_trip_and_replacement_leave_one_pair(tmp_path):
    files.write(tmp_path, {"a": np.arange(3.0)}, {"note": "first"})
    files.write(tmp_path, {"a": np.arange(4.0)}, {"note": "second"})
    arrays, meta = files.read(tmp_path)
    np.testing.assert_array_equal(arrays["a"], np.arange(4.0))
    assert meta["note"] == "second"
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".json", ".npz"]


def test_a_write_that_fails_leaves_the_old_pair(tmp_path, monkeypatch):
    files.write(tmp_path, {"a": np.zeros(2)}, {})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(FitError, match="No space left"):
        files.write(tmp_path, {"a": np.ones(2)}, {})
    np.testing.assert_array_equal(files.read(tmp_path)[0]["a"], np.zeros(2))


def test_pickles_are_refused(tmp_path):
    files.write(tmp_path, {"a": np.zeros(1)}, {})
    name = json.loads((tmp_path / "meta.json").read_text())["arrays"]
    np.savez(tmp_path / name, a=np.array([{"code": print}], dtype=object))
    with pytest.raises(FitError, match="cannot be read"):
        files.read(tmp_path)


@pytest.mark.parametrize("size", [0, 200])
def test_a_truncated_file_is_refused(tmp_path, size):
    files.write(tmp_path, {"a": np.zeros(100)}, {})
    part = next(tmp_path.glob("*.npz"))
    part.write_bytes(part.read_bytes()[:size])
    with pytest.raises(FitError, match="cannot be read"):
        files.read(tmp_path)


@pytest.mark.parametrize("content", [None, "not json", '{"arrays": "gone.npz", "format": "symdsm-1"}'])
def test_a_folder_without_a_checkpoint(tmp_path, content):
    if content is not None:
        (tmp_path / "meta.json").write_text(content)
    with pytest.raises(FitError, match="cannot be read"):
        files.read(tmp_path)


def test_fill_refuses_another_tree():
    arrays = files.leaves("state", {"w": jnp.ones(2)})
    np.testing.assert_array_equal(files.fill("state", {"w": jnp.zeros(2)}, arrays)["w"], [1.0, 1.0])
    with pytest.raises(FitError, match="2 arrays"):
        files.fill("state", {"w": jnp.zeros(2), "v": jnp.zeros(1)}, arrays)
