"""Zips and folders as the same thing."""

import zipfile
from pathlib import Path

import pytest

from kinjo.datasets.card import DatasetError
from kinjo.datasets.files import open_files


def test_a_zip_and_its_folder_hold_the_same(tmp_path: Path):
    contents = {"b/2.txt": b"two", "a.txt": b"one", "__MACOSX/._a.txt": b"", "b/.DS_Store": b"", "b/._2.txt": b""}
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.mkdir("b")
        for name, data in contents.items():
            archive.writestr(name, data)
            (tmp_path / "x" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "x" / name).write_bytes(data)
    zipped, folder = open_files(tmp_path / "x.zip"), open_files(tmp_path / "x")
    assert zipped.names == folder.names == ("a.txt", "b/2.txt")
    assert [f.read("b/2.txt") for f in (zipped, folder)] == [b"two", b"two"]
    for files in (zipped, folder):
        with pytest.raises(DatasetError, match="gone"):
            files.read("gone")


def test_what_is_neither_is_an_error(tmp_path: Path):
    (tmp_path / "x.rar").write_bytes(b"Rar!")
    (tmp_path / "x.zip").write_bytes(b"<html>")
    for name in ("x.rar", "x.zip"):
        with pytest.raises(DatasetError, match=name):
            open_files(tmp_path / name)


def test_damage_in_a_zip_is_found_by_its_checksum(tmp_path: Path):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", b"1,2,3\n" * 100)
    data = path.read_bytes()
    path.write_bytes(data.replace(b"1,2,3\n1,2", b"1,2,3\n1,9", 1))
    with pytest.raises(DatasetError, match=r"a\.csv.*CRC"):
        open_files(path).read("a.csv")
