"""What people do with a recording on a page: recognise, teach, label, take back. Nothing here knows of pages."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from kinjo.recording import Recording
from kinjo.runtime import Model
from kinjo.studio import examples
from kinjo.studio.finding import Places
from kinjo.studio.hub import Hub
from kinjo.studio.labels import Labels, Spans, all_laid, laid, over, unsure
from kinjo.studio.opened import Opened, Shelf
from kinjo.studio.problems import Refused
from kinjo.studio.profiles import Changed
from kinjo.timeline import UNKNOWN, Span

KEPT = 32
"""Results that are remembered."""
Made = Callable[[int], Any]
"""Told the serial number of the state of a profile that a change made."""


class Desks:
    """What all pages of an app share."""

    def __init__(self, hub: Hub) -> None:
        self.hub, self.shelf, self.labels = hub, Shelf(), Labels(hub.settings.profiles)
        self.places = Places()
        self._found: OrderedDict[tuple[str, int], tuple[Model, Spans]] = OrderedDict()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Nothing may be asked after."""
        self.shelf.close()
        self.labels.close()

    def found(self, opened: Opened, profile: str) -> Spans:
        """What is recognised in a recording by what a profile knows now."""
        model = self.hub.model(profile)
        if not model.labels:
            return ()
        key = (opened.id, id(model))
        with self._lock:
            if key in self._found:
                return self._found[key][1]
        spans = tuple(model.recognize(seen(opened.recording)))
        with self._lock:
            self._found[key] = (model, spans)  # the model is held, so that nothing else gets its id
            while len(self._found) > KEPT:
                self._found.popitem(last=False)
        return spans

    def said(self, opened: Opened) -> Spans:
        """The labels: those of the recording itself until somebody changes them."""
        own = [Span(s.start_s, s.end_s, s.label, 1.0, s.repetitions) for s in opened.recording.segments if s.label]
        return self.labels.of(opened.key, all_laid(sorted(own)))

    def whole(self, opened: Opened, profile: str) -> Spans:
        """What was recognised, corrected. Where nothing can be recognised, the labels alone."""
        said = self.said(opened)
        try:
            return over(self.found(opened, profile), said)
        except (ValueError, ImportError, OSError):
            return said


def seen(recording: Recording) -> Recording:
    """Without video, which no model reads here."""
    streams = {n: s for n, s in recording.streams.items() if s.contract.modality != "video" and s.length}
    return Recording(recording.id, streams, recording.segments)


def taught(
    hub: Hub, profile: str, name: str, one: Recording | str, said: dict[str, Any], made: Made = lambda serial: None
) -> tuple[int, str]:
    """Teach a profile by an example, which is listed; windows that were learnt, and the example's id."""
    new: list[dict[str, Any]] = []

    def shown(before: dict[str, Any], after: dict[str, Any], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
        new[:] = [examples.example(name, examples.share(before, after, name), **said)]
        return [*old, *new]

    windows = hub.change(profile, "teach", lambda model: model.teach(name, [one]), shown, made)[0]
    return windows, str(new[0]["id"])


def removed(hub: Hub, profile: str, id: str, made: Made = lambda serial: None) -> None:
    """Take an example out of a profile, as if it had never been shown. ``ValueError`` for one that is gone."""
    one = next((e for e in hub.shown(profile) if e["id"] == id), None)
    if one is None:
        raise ValueError("this example is gone already")

    def how(model: Model) -> None:
        model.know(json.dumps(examples.without(model.profile(), one)))

    def shown(before: dict[str, Any], after: dict[str, Any], old: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [e for e in old if e["id"] != id]

    hub.change(profile, "forget", how, shown, made)


@dataclass
class Desk:
    """One person with one recording. Every method may take its time.

    ``done`` is what can be taken back, in order, teaching with the serial number of the state that it made.
    """

    desks: Desks
    opened: Opened
    profile: str = "default"
    done: list[tuple[str, int]] = field(default_factory=list)

    # -------------------------------------------------------------------------------------------- look
    def found(self) -> Spans:
        """What is recognised."""
        return self.desks.found(self.opened, self.profile)

    def said(self) -> Spans:
        """The labels."""
        return self.desks.said(self.opened)

    def unsure(self) -> list[Span]:
        """What to look at next, the least sure first."""
        return unsure(self.found(), self.said())

    def known(self) -> tuple[str, ...]:
        """The activities of the profile."""
        return self.desks.hub.model(self.profile).labels

    def words(self) -> bool:
        """Whether sentences teach the model."""
        model = self.desks.hub.base
        return model.say is not None and model.classes.words is not None

    def shown(self) -> list[dict[str, Any]]:
        """The examples that were taught on pages."""
        return self.desks.hub.shown(self.profile)

    # -------------------------------------------------------------------------------------------- teach
    def teach(self, name: str, start_s: float, end_s: float) -> int:
        """An activity by a span of the recording, which is labelled so too; windows that were learnt."""
        part = seen(self.opened.recording).between(start_s, end_s)
        said = {"recording": self.opened.title, "start_s": start_s, "end_s": end_s}
        windows = self._teach(name.strip(), part, said)
        self._keep(laid(self.said(), Span(start_s, end_s, name.strip())))
        self.done.append(("teach a span", *self.done.pop()[1:]))
        return windows

    def tell(self, name: str, sentence: str) -> None:
        """An activity by a sentence."""
        self._teach(name.strip(), sentence, {"sentence": sentence})

    def _teach(self, name: str, one: Recording | str, said: dict[str, Any]) -> int:
        return taught(self.desks.hub, self.profile, name, one, said, self._taught)[0]

    def _taught(self, serial: int) -> None:
        self.done.append(("teach", serial))

    def remove(self, id: str) -> None:
        """An example, as if it had never been shown."""
        removed(self.desks.hub, self.profile, id, self._taught)

    def forget(self, name: str) -> None:
        """An activity, with all its examples."""
        self.desks.hub.change(self.profile, "forget", lambda model: model.forget(name), made=self._taught)

    # -------------------------------------------------------------------------------------------- label
    def label(self, name: str, start_s: float, end_s: float) -> None:
        """Say what is done in a span, whatever was said or recognised there."""
        self._keep(laid(self.said(), Span(start_s, end_s, name)))
        self.done.append(("label", 0))

    def change(self, old: Span, new: Span | None) -> None:
        """Rename or move a span (None: remove it). One that was recognised becomes a label, removed one of unknown, but
        for what was said within it before.
        """
        said = self.said()
        if old in said:
            rest = [span for span in said if span != old]
            self._keep(rest if new is None else laid(rest, new._replace(confidence=1.0)))
        elif new is None or old[:2] == new[:2]:
            name = UNKNOWN if new is None else new.label
            self._keep(over(laid((), Span(old.start_s, old.end_s, name)), said))
        else:
            rest = over([Span(old.start_s, old.end_s, UNKNOWN)], said)
            self._keep(laid(rest, new._replace(confidence=1.0)))
        self.done.append(("label", 0))

    def _keep(self, spans: Sequence[Span]) -> None:
        self.desks.labels.keep(self.opened.key, spans)

    def undo(self) -> str:
        """Take the last step back, or, from before this page, the last label; what it was, '' where there is none.

        ``Refused`` for teaching after which somebody else taught the same profile: theirs stays.
        """
        what, serial = self.done.pop() if self.done else ("", 0)
        if what.startswith("teach"):
            try:
                taken = self.desks.hub.undo(self.profile, serial)
            except Changed:
                told = "Remove your example in the list of what is known; Undo goes on with the step before."
                raise Refused(409, "changed", "somebody else has taught since: theirs stays", told) from None
            if what == "teach a span":
                self.desks.labels.undo(self.opened.key)
            return "teaching" if taken else ""
        if self.desks.labels.undo(self.opened.key):
            return "label"
        return ""
