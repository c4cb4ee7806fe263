from pathlib import Path

import numpy as np
import pytest

import _motion_files as files
from kinjo.formats import PLUG_IN_GAIT, FormatError, read_motion
from kinjo.motion import J

pytest.importorskip("c3d", reason="the package c3d is not installed")
PLACES = files.marker_places(PLUG_IN_GAIT, 15, np.random.default_rng(0))


def written(folder: Path, data: bytes) -> Path:
    path = folder / "m.c3d"
    path.write_bytes(data)
    return path


def test_the_same_as_the_table_of_its_markers(tmp_path: Path):
    (tmp_path / "m.csv").write_text(files.marker_table(PLACES, PLUG_IN_GAIT))
    table = read_motion(tmp_path / "m.csv", rate_hz=200)
    motion = read_motion(written(tmp_path, files.c3d(PLACES, PLUG_IN_GAIT, 200.0)))
    np.testing.assert_allclose(motion.positions, table.positions, atol=1e-6)
    assert (motion.rate_hz, motion.rotations, motion.missing) == (200.0, None, None)


def test_a_marker_not_seen_is_a_gap(tmp_path: Path):
    gaps = ((4, PLUG_IN_GAIT.index("RTOE")), (5, PLUG_IN_GAIT.index("LFIN")))
    motion = read_motion(written(tmp_path, files.c3d(PLACES, PLUG_IN_GAIT, gaps=gaps)))
    assert motion.missing is not None
    assert np.argwhere(motion.missing).tolist() == [[4, J["right_foot"]]]


def test_units_of_the_file_are_held_against_the_body(tmp_path: Path):
    with pytest.raises(FormatError, match="units 'mm'"):
        read_motion(written(tmp_path, files.c3d(PLACES * 100, PLUG_IN_GAIT)))


def test_an_up_axis_that_the_body_contradicts_is_refused(tmp_path: Path):
    data = files.c3d(PLACES, PLUG_IN_GAIT)
    assert b"+Z" in data
    path = written(tmp_path, data.replace(b"+Z", b"+Y"))
    with pytest.raises(FormatError, match="up="):
        read_motion(path)
    assert read_motion(path, up="z").positions[0, J["head"], 1] > 1.5


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.9])
def test_a_file_cut_off_is_an_error(tmp_path: Path, share: float):
    data = files.c3d(PLACES, PLUG_IN_GAIT)
    with pytest.raises(FormatError):
        read_motion(written(tmp_path, data[: int(share * len(data))]))


def test_counts_that_contradict_one_another(tmp_path: Path):
    data = bytearray(files.c3d(PLACES, PLUG_IN_GAIT))
    data[2] = 38  # markers in the header
    with pytest.raises(FormatError, match=r"the same markers|AssertionError"):
        read_motion(written(tmp_path, bytes(data)))
    data[2], data[1] = 39, 0
    with pytest.raises(FormatError, match="0x50"):
        read_motion(written(tmp_path, bytes(data)))
