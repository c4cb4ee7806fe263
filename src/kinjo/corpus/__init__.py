"""Recordings on disk: the store, splits before windows, windows, and the leakage audit."""

from kinjo.corpus.audit import Overlap, audit, fingerprints, leaks, to_json, to_text
from kinjo.corpus.errors import CorpusError
from kinjo.corpus.splits import Split, by_class, by_recording, by_subject, make
from kinjo.corpus.store import Corpus, RecordingEntry, StreamEntry, Table
from kinjo.corpus.video import VideoSize
from kinjo.corpus.windows import (
    NULL,
    Slot,
    WindowIndex,
    centre_label,
    read,
    segment_windows,
    sliding_windows,
)
from kinjo.corpus.writer import kept, write

__all__ = [
    "NULL",
    "Corpus",
    "CorpusError",
    "Overlap",
    "RecordingEntry",
    "Slot",
    "Split",
    "StreamEntry",
    "Table",
    "VideoSize",
    "WindowIndex",
    "audit",
    "by_class",
    "by_recording",
    "by_subject",
    "centre_label",
    "fingerprints",
    "kept",
    "leaks",
    "make",
    "read",
    "segment_windows",
    "sliding_windows",
    "to_json",
    "to_text",
    "write",
]
