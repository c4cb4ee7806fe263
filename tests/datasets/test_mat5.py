"""The strict reader of .mat against SciPy's, and against damage."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.io import loadmat, savemat

from kinjo.datasets import mat5
from kinjo.datasets.card import DatasetError

NUMBERS = st.sampled_from(["<f8", "<f4", "<i2", "<u2", "<i4", "|u1", "<u4", "|i1"])


def saved(values: dict[str, object], compressed: bool) -> bytes:
    out = io.BytesIO()
    savemat(out, values, do_compression=compressed)
    return out.getvalue()


@given(
    hnp.arrays(
        NUMBERS, hnp.array_shapes(min_dims=2, max_dims=4, max_side=5), elements={"min_value": 0, "max_value": 9}
    ),
    st.booleans(),
)
def test_reads_what_scipy_reads(values: np.ndarray, compressed: bool):
    data = saved({"other": np.eye(2), "words": "text", "d": values}, compressed)
    header, given_values = mat5.matrix(data, "d", "x.mat")
    expected = loadmat(io.BytesIO(data))["d"]
    assert header == mat5.peek(data, "d", "x.mat")
    assert header.shape == expected.shape
    assert given_values.dtype == expected.dtype
    assert np.array_equal(given_values, expected)


def test_peek_needs_only_the_header():
    data = saved({"d": np.arange(60_000.0).reshape(200, 300)}, compressed=True)
    zeros = data[:2000] + bytes(len(data) - 2000)
    assert mat5.peek(zeros, "d", "x.mat").shape == (200, 300)
    with pytest.raises(DatasetError, match=r"x\.mat.*compressed"):
        mat5.matrix(zeros, "d", "x.mat")


@pytest.mark.parametrize(
    ("values", "given_text"),
    [
        ({"e": np.eye(3)}, "variables"),
        ({"d": "text"}, "class 4"),
        ({"d": np.eye(3) * 1j}, "complex"),
        ({"d": np.eye(3) > 0}, "logical"),
        ({"d": {"a": 1.0}}, "class 2"),
    ],
)
@pytest.mark.parametrize("compressed", [True, False])
def test_other_content_is_named(values: dict[str, object], given_text: str, compressed: bool):
    with pytest.raises(DatasetError, match=given_text) as raised:
        mat5.matrix(saved(values, compressed), "d", "x.mat")
    assert raised.value.file == "x.mat"


@given(st.data())
def test_damage_is_an_error_or_changes_nothing_that_can_be_checked(data: st.DataObject):
    """Any byte of a compressed file changed, or any part cut off: never another exception, never other values."""
    values = np.arange(24.0).reshape(4, 6)
    whole = saved({"d": values}, compressed=True)
    at = data.draw(st.integers(0, len(whole) - 1))
    damaged = whole[:at]
    if data.draw(st.booleans()):
        damaged += bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :]
    try:
        _, given_values = mat5.matrix(damaged, "d", "x.mat")
    except DatasetError:
        return
    assert np.array_equal(given_values, values)
    assert len(damaged) == len(whole)


@given(st.binary(max_size=300))
def test_any_bytes(noise: bytes):
    head = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"
    for data in (noise, head + noise):
        with pytest.raises(DatasetError):
            mat5.matrix(data, "d", "x.mat")
