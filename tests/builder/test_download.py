"""Links: fetched from a real local server, once; what fails says why; FiMAD's lists."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import _videos
import pytest

from kinjo.builder import download, fimad
from kinjo.builder.errors import BuildError


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[str, list[str]]]:
    """An address that serves ``tmp_path/site``, and the paths that were asked for."""
    (tmp_path / "site").mkdir()
    _videos.write(tmp_path / "site" / "squats.mp4", 25)
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *given: object) -> None:
            super().__init__(*given, directory=str(tmp_path / "site"))  # type: ignore[arg-type]

        def do_GET(self) -> None:
            asked.append(self.path)
            super().do_GET()

        def log_message(self, format: str, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http_server:
        threading.Thread(target=http_server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http_server.server_address[1]}", asked
        http_server.shutdown()


def test_videos_are_fetched_once_and_losses_have_reasons(server: tuple[str, list[str]], tmp_path: Path):
    pytest.importorskip("yt_dlp")
    address, asked = server
    links = [f"{address}/squats.mp4", f"{address}/gone.mp4"]
    how = {"pause_s": 0.0, "retries": 0, "progress": False}
    good, bad = download.fetch(links, tmp_path / "videos", **how)  # type: ignore[arg-type]
    assert good.path is not None
    assert good.path.read_bytes() == (tmp_path / "site" / "squats.mp4").read_bytes()
    assert good.path.parent == tmp_path / "videos"
    assert bad.path is None
    assert "404" in bad.reason
    info = json.loads(good.path.with_suffix(".info.json").read_text())
    assert info["webpage_url"] == links[0]
    before = sum("squats" in path for path in asked)
    again, _ = download.fetch(links, tmp_path / "videos", **how)  # type: ignore[arg-type]
    assert again == good
    assert sum("squats" in path for path in asked) == before


def test_lists_of_links(tmp_path: Path):
    (tmp_path / "links.txt").write_text("https://a.org/x # mine\n\nnonsense\nhttp://b.org/y\nhttps://a.org/x\n")
    assert download.links(tmp_path / "links.txt") == ["https://a.org/x", "http://b.org/y"]
    (tmp_path / "links.txt").write_text("nothing here\n")
    with pytest.raises(BuildError, match="holds no link"):
        download.links(tmp_path / "links.txt")


def test_official_lists(tmp_path: Path):
    with pytest.raises(BuildError, match=r"youtube_links\.txt is not there"):
        fimad.lists(tmp_path)
    (tmp_path / fimad.LINKS).write_text(" https://www.youtube.com/watch?v=-2DxGwlLX5s\nhttps://youtu.be/abcdefghijk\n")
    (tmp_path / fimad.SPLIT).write_text('{"train": ["-2DxGwlLX5s___0", "-2DxGwlLX5s___3"], "val": ["abcdefghijk___1"]}')
    videos, split = fimad.lists(tmp_path)
    assert list(videos) == ["-2DxGwlLX5s", "abcdefghijk"]
    kept, share = fimad.held(split, ["-2DxGwlLX5s___3", "other___1"])
    assert kept == {"train": ("-2DxGwlLX5s___3",), "val": ()}
    assert share == pytest.approx(1 / 3)
    (tmp_path / fimad.SPLIT).write_text("[]")
    with pytest.raises(BuildError, match="an object of lists"):
        fimad.lists(tmp_path)


def test_the_real_lists(data_root: Path):
    if not (data_root / "FiMAD" / fimad.LINKS).is_file():
        pytest.skip(f"no lists of FiMAD under {data_root}")
    videos, split = fimad.lists(data_root / "FiMAD")
    assert len(videos) == 1385  # of 1388 lines one stands twice and two are no videos of the site
    assert {part: len(ids) for part, ids in split.items()} == {"train": 8227, "val": 1584}
    named = {id.rpartition("___")[0] for ids in split.values() for id in ids}
    assert len(named) == 1285
    assert named - set(videos) == {"", "8BEJ24Le8Rk_temp", "8BEJ24Le8Rk_f303"}  # left-overs of the authors' downloads
