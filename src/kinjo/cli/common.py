"""What all verbs share: options that mean the same everywhere, and where results and words go."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on the last line of stdout.")]
Data = Annotated[Path | None, typer.Option(envvar="KINJO_DATA", help="Folder that holds the data sets.")]
Corpus = Annotated[Path, typer.Option("--corpus", help="A corpus that 'kinjo import' wrote.")]


def say(text: str) -> None:
    """A line for people, on stderr."""
    print(text, file=sys.stderr)


def give(result: dict[str, Any], as_json: bool, text: str) -> None:
    """The result on stdout: for programs as one JSON line, for people as text."""
    print(json.dumps(result, ensure_ascii=False) if as_json else text)
