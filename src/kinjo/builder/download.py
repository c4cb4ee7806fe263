"""Videos from links, by yt-dlp: with their chapters, description, licence and subtitles; what is there stays.

Sites change and videos go: every link ends as a file or with the reason why not. Cookies are the user's business:
pass a file of them where a site asks for a login.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinjo.builder.errors import BuildError
from kinjo.builder.sources import ENDINGS
from kinjo.builder.text_files import one_line, read_text

HEIGHT = 720
"""Pixels: poses are found at 480 lines, more costs time and disk alone."""


@dataclass(frozen=True)
class Fetched:
    """A link's video, or ``None`` and why not."""

    link: str
    path: Path | None
    reason: str = ""


def links(path: Path) -> list[str]:
    """The links of a text file, one a line; ``#`` begins a remark. ``BuildError`` where there is none."""
    lines = (line.partition(" #")[0].strip() for line in read_text(path).splitlines())
    found = [line for line in lines if re.match(r"https?://\S+$", line)]
    if not found:
        raise BuildError(f"{path}: holds no link: one a line, beginning with https://")
    return list(dict.fromkeys(found))


def fetch(
    wanted: Sequence[str],
    folder: Path,
    *,
    pause_s: float = 2.0,
    retries: int = 5,
    rate_mb_s: float = 0.0,
    cookies: Path | None = None,
    progress: bool = True,
) -> list[Fetched]:
    """Each link's video into ``folder``, named by its id; what an earlier call fetched is not asked for again.

    ``pause_s`` between requests, ``retries`` of each, ``rate_mb_s`` a limit in MB a second (0: none).
    """
    try:
        from yt_dlp import YoutubeDL
    except ImportError as error:
        raise BuildError("links are fetched by yt-dlp: pip install 'kinjo[build]'") from error
    folder.mkdir(parents=True, exist_ok=True)
    known = _known(folder)
    out: list[Fetched] = []
    for link in wanted:
        if (there := known.get(link)) is not None and there.is_file():
            out.append(Fetched(link, there))
            continue
        log = _Log()
        options: dict[str, Any] = {
            "format": f"bv*[height<={HEIGHT}]+ba/b[height<={HEIGHT}]/bv*+ba/b", "outtmpl": "%(id).80B.%(ext)s",
            "paths": {"home": str(folder)}, "restrictfilenames": True, "writeinfojson": True, "noplaylist": True,
            "writesubtitles": True, "writeautomaticsub": True, "subtitleslangs": ["en.*", "-live_chat"],
            "retries": retries, "fragment_retries": retries, "extractor_retries": retries, "socket_timeout": 30,
            "sleep_interval_requests": pause_s, "sleep_interval": pause_s, "quiet": True, "noprogress": not progress,
            "logger": log, "color": "never", "overwrites": False, "continuedl": True, "cachedir": False,
            **({"ratelimit": rate_mb_s * 1e6} if rate_mb_s > 0 else {}),
            **({"cookiefile": str(cookies)} if cookies is not None else {}),
        }  # fmt: skip
        try:
            with YoutubeDL(options) as session:  # pyright: ignore[reportArgumentType]
                info: Any = session.extract_info(link, download=True)
                path = Path(session.prepare_filename(info)) if info else None
        except Exception as error:  # whatever an extractor meets: the next link is another video
            out.append(Fetched(link, None, _reason(log.errors or [str(error)])))
            continue
        found = _found(path)
        if found is None:
            out.append(Fetched(link, None, _reason(log.errors or ["nothing was fetched"])))
            continue
        known[link] = found
        (folder / ".links.json").write_text(json.dumps({k: v.name for k, v in known.items()}, indent=1) + "\n")
        out.append(Fetched(link, found))
    return out


def _known(folder: Path) -> dict[str, Path]:
    with suppress(OSError, ValueError, AttributeError):
        return {str(k): folder / Path(str(v)).name for k, v in json.loads((folder / ".links.json").read_text()).items()}
    return {}


def _found(path: Path | None) -> Path | None:
    """The file as named, or merged into another container."""
    if path is None:
        return None
    for one in (path, *(path.with_suffix(ending) for ending in ENDINGS)):
        if one.is_file() and one.stat().st_size:
            return one
    return None


def _reason(errors: Sequence[str]) -> str:
    return one_line(re.sub(r"^ERROR:\s*", "", errors[-1])).strip()[:300]


class _Log:
    """yt-dlp says errors to its logger; warnings and the rest are left out."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def debug(self, message: str) -> None:
        pass

    def warning(self, message: str) -> None:
        pass

    def error(self, message: str) -> None:
        self.errors.append(message)
