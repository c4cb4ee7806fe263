"""Archives of strangers: what is an export opens, what is made to harm is refused before memory is taken for it."""

import io
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from _exports import packed
from kinjo.formats import archive
from kinjo.formats.archive import open_export
from kinjo.formats.errors import FormatError


def write(tmp_path: Path, data: bytes) -> Path:
    path = tmp_path / "export.zip"
    path.write_bytes(data)
    return path


def test_a_zip_and_its_folder_hold_the_same(tmp_path: Path):
    files = {
        "Raw Data.csv": "a,b\n1,2\n",
        "meta/time.csv": "x,y\n",
        "__MACOSX/._Raw Data.csv": "junk",
        ".DS_Store": "j",
    }
    folder = tmp_path / "folder"
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for path in (write(tmp_path, packed(files)), folder):
        export = open_export(path)
        assert export.names == ("Raw Data.csv", "meta/time.csv")
        assert export.read("Raw Data.csv") == b"a,b\n1,2\n"
        assert export.named("TIME.csv", "meta") == "meta/time.csv"
        assert export.named("time.csv", "other") is None


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "a\\..\\b.csv", "C:/x.csv", "a/../../b.csv"])
def test_names_that_leave_the_archive(name: str, tmp_path: Path):
    data = packed({"A" * len(name): "x"}).replace(b"A" * len(name), name.encode())
    with pytest.raises(FormatError, match="names within the archive"):
        open_export(write(tmp_path, data))


def test_a_file_twice(tmp_path: Path):
    data = packed({"Gyroscope.csv": "1", "Gyroscopf.csv": "2"}).replace(b"Gyroscopf", b"Gyroscope")
    with pytest.raises(FormatError, match="every file once"):
        open_export(write(tmp_path, data))


def test_an_archive_in_an_archive(tmp_path: Path):
    with pytest.raises(FormatError, match="Unpack the outer"):
        open_export(write(tmp_path, packed({"inner.zip": packed({"Gyroscope.csv": "1"})})))


def test_a_password(tmp_path: Path):
    data = bytearray(packed({"a.csv": "1,2\n"}))
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    export = open_export(write(tmp_path, bytes(data)))
    with pytest.raises(FormatError, match="password"):
        export.read("a.csv")


def test_a_bomb(tmp_path: Path):
    export = open_export(write(tmp_path, packed({"a.csv": b"0" * (archive.UNPACKED + 1)})))
    with pytest.raises(FormatError, match="packed to"):
        export.read("a.csv")


def test_a_size_that_lies(tmp_path: Path):
    data = bytearray(packed({"a.csv": b"0123456789" * 100}))
    at = data.index(b"PK\x01\x02") + 24
    data[at : at + 4] = struct.pack("<I", archive.LARGEST + 1)
    with pytest.raises(FormatError, match="at most"):
        open_export(write(tmp_path, bytes(data))).read("a.csv")
    data[at : at + 4] = struct.pack("<I", 10)  # less than there is: its checksum cannot be right
    with pytest.raises(FormatError, match="unpacks"):
        open_export(write(tmp_path, bytes(data))).read("a.csv")


@pytest.mark.parametrize(("offset", "size", "value"), [(12, 4, archive.DIRECTORY + 1), (10, 2, 0xFFFF)])
def test_a_directory_that_is_too_large(offset: int, size: int, value: int, tmp_path: Path, monkeypatch):
    monkeypatch.setattr(archive, "MOST_ENTRIES", 1000)
    data = bytearray(packed({"a.csv": "1"}))
    at = data.rindex(b"PK\x05\x06") + offset
    data[at : at + size] = value.to_bytes(size, "little")
    with pytest.raises(FormatError, match="at most 1000 files"):
        open_export(write(tmp_path, bytes(data)))


def test_zip64_is_refused(tmp_path: Path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("a.csv", "1")
    data = out.getvalue()
    at = data.rindex(b"PK\x05\x06")
    locator = b"PK\x06\x07" + struct.pack("<IQI", 0, at, 1)
    with pytest.raises(FormatError, match="zip64"):
        open_export(write(tmp_path, data[:at] + locator + data[at:]))


def test_no_such_path(tmp_path: Path):
    with pytest.raises(FormatError, match="Correct the path"):
        open_export(tmp_path / "none.zip")


GOOD = packed({"Gyroscope.csv": "time,x,y,z\n1,2,3,4\n", "b/Accelerometer.csv": "1,2\n" * 50})


@settings(max_examples=150, deadline=None)
@given(cut=st.integers(0, len(GOOD)), at=st.integers(0, len(GOOD) - 1), byte=st.integers(0, 255), whole=st.booleans())
def test_damage_is_a_format_error(cut: int, at: int, byte: int, whole: bool, tmp_path_factory: pytest.TempPathFactory):
    data = bytearray(GOOD)
    data[at] = byte
    path = tmp_path_factory.mktemp("zip") / "a.zip"
    path.write_bytes(bytes(data) if whole else GOOD[:cut])
    try:
        export = open_export(path)
        for name in export.names:
            assert isinstance(export.read(name), bytes)
    except FormatError:
        return
