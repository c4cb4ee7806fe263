"""JSON lines of samples in, events out: ``runtime.Model.live`` for pipes, sockets and files that grow.

In, one object a line, in any order that makes sense:

    {"streams": {"right_wrist.acc": {"modality": "imu", "quantity": "acc", "units": "m/s^2", "rate_hz": 50,
                                     "placement": "right_wrist", "gravity": true}}}      what will come, first
    {"stream": "right_wrist.acc", "t": [0.0, 0.02], "values": [[0.1, 9.8, 0.2], [0.1, null, 0.3]]}     samples
    {"stream": "right_wrist.acc", "values": [0.1, 9.8, 0.2]}               one sample, on an even clock
    {"end": "right_wrist.acc"}                                             no more comes of it

Out: ``span`` (closed: start_s, end_s, label, confidence, repetitions or null), ``now`` (the open span, whenever its
label changes), ``late`` (samples lost because they came too late, in all), ``error`` (a line that was passed over, and
why), ``end``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kinjo.live import Live
from kinjo.recording import Contract, Recording
from kinjo.runtime import Model
from kinjo.timeline import Span

LONGEST = 1 << 20
"""Characters of a line; longer ones are passed over."""
Event = dict[str, Any]
Ready = tuple[NDArray[np.float64], dict[str, NDArray[Any]]]
"""Windows that are complete: times (n, 2) and a batch (see ``live``)."""


class Session:
    """One conversation: ``hear`` a line, score the windows that it completes, ``take`` the scores, ``say`` the events.

    Who has one stream has it all done by ``events``; a server scores the windows of many at once between the steps.
    ``late_s``, ``wait_s``: see ``live.Windows``; nothing older than a window and these is kept.
    """

    def __init__(self, model: Model, *, late_s: float = 0.5, wait_s: float = 1.0) -> None:
        self.model, self.late_s, self.wait_s = model, late_s, wait_s
        self.live: Live | None = None
        self._ended: set[str] = set()
        self._spans: list[Span] = []
        self._late, self._now = 0, ""

    def hear(self, line: str) -> Iterator[Ready]:
        """The windows that a line completes, to be scored. ``ValueError`` for a bad line, which changes nothing."""
        try:
            return self._heard(_object(line))
        except KeyError as error:
            raise ValueError(f"{error.args[0]!r} is missing") from error
        except (TypeError, OverflowError) as error:
            raise ValueError(str(error)) from error

    def _heard(self, said: dict[str, Any]) -> Iterator[Ready]:
        if "streams" in said:
            if self.live is not None:
                raise ValueError("streams are declared once, in the first line: start again for others")
            self.live = self.model.live(contracts(said["streams"]), late_s=self.late_s, wait_s=self.wait_s)
            return iter(())
        if self.live is None:
            raise ValueError('say first what comes: {"streams": {name: contract, ...}}')
        if "end" not in said:
            return _pushed(self.live, said)
        self._ended.add(name := _name(self.live, said["end"]))
        return self.live.windows.end(name)

    @property
    def over(self) -> bool:
        """Whether all streams have ended."""
        return self.live is not None and self._ended >= set(self.live.contracts)

    def take(self, ready: Ready, scores: ArrayLike) -> None:
        """The scores (windows, labels) of windows that ``hear`` or ``finish`` gave."""
        assert self.live is not None
        self._spans += self.live.take(*ready, scores)

    def know(self, model: Model) -> None:
        """The same model, which knows other activities now: the scores that are taken from here on are of these."""
        assert self.live is not None
        self.model = model
        self.live.know(model.labels, model.rhythms)

    def say(self) -> Iterator[Event]:
        """What has happened since it was asked last."""
        spans, self._spans = self._spans, []
        yield from ({"event": "span", **span._asdict()} for span in spans)
        if self.live is None:
            return
        if (current := self.live.current) is not None and current.label != self._now:
            self._now = current.label
            yield {"event": "now", "start_s": current.start_s, "label": self._now, "confidence": current.confidence}
        if self.live.windows.late != self._late:
            self._late = self.live.windows.late
            yield {"event": "late", "samples": self._late}

    def finish(self) -> Iterator[Ready]:
        """The windows that are still open, to be scored; then comes ``bye``."""
        return iter(()) if self.live is None else self.live.windows.finish()

    def bye(self) -> Iterator[Event]:
        """The spans that were open, and the end."""
        spans = self._spans + ([] if self.live is None else self.live.done())
        self._spans = []
        yield from ({"event": "span", **span._asdict()} for span in spans)
        yield {"event": "end"}


def events(model: Model, lines: Iterable[str], *, late_s: float = 0.5, wait_s: float = 1.0) -> Iterator[Event]:
    """What is recognised in ``lines`` while they come; a bad line is an ``error`` event, and the next one is read.

    ``late_s``, ``wait_s``: see ``live.Windows``; nothing older than a window and these is kept.
    """
    session = Session(model, late_s=late_s, wait_s=wait_s)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            for ready in session.hear(line):
                session.take(ready, model.score(ready[1]))
        except (ValueError, TypeError, OverflowError) as error:
            yield {"event": "error", "line": number, "message": str(error)}
            continue
        yield from session.say()
    for ready in session.finish():
        session.take(ready, model.score(ready[1]))
    yield from session.bye()


def read_lines(file: TextIO) -> Iterator[str]:
    """Lines as they come, none held that is longer than ``LONGEST``: of such a one the beginning, which is no JSON."""
    while line := file.readline(LONGEST + 1):
        yield line
        while len(line) > LONGEST and not line.endswith("\n"):
            line = file.readline(LONGEST + 1)


def samples(recording: Recording, step_s: float = 0.2) -> Iterator[str]:
    """A recording's sensors and poses as lines that ``events`` reads, as if they came every ``step_s`` seconds."""
    streams = {n: s for n, s in recording.streams.items() if s.contract.modality in ("imu", "pose") and s.length}
    yield json.dumps({"streams": {name: stream.contract.to_dict() for name, stream in streams.items()}})
    clock = min((s.start_s if s.times is None else float(s.times[0]) for s in streams.values()), default=0.0)
    at = dict.fromkeys(streams, 0)
    while at:
        clock += step_s
        for name in list(at):
            stream = streams[name]
            stop = stream.index_at(clock)
            if stop > at[name]:
                values = np.array(stream.values(at[name], stop), np.float64)
                values[stream.mask(at[name], stop)] = np.nan
                told = {"stream": name, "t": stream.clock(at[name], stop).tolist(), "values": _plain(values)}
                yield json.dumps(told)
                at[name] = stop
            if at[name] >= stream.length:
                del at[name]
                yield json.dumps({"end": name})


def _plain(values: Any) -> Any:
    """Lists, null where a number is missing."""
    plain = np.asarray(values).astype(object)
    plain[~np.isfinite(values)] = None
    return plain.tolist()


def _object(line: str) -> dict[str, Any]:
    if len(line) > LONGEST:
        raise ValueError(f"a line of more than {LONGEST} characters: send fewer samples at once")
    try:
        said = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no JSON ({error}): one object a line") from None
    if not isinstance(said, dict):
        raise ValueError(f"one object a line, given a {type(said).__name__}")
    return said


def contracts(given: Any) -> dict[str, Contract]:
    """Those of a first line. ``ValueError`` for anything else."""
    if not (isinstance(given, dict) and given and all(isinstance(one, dict) for one in given.values())):
        raise ValueError('"streams" maps names to contracts: modality, quantity, units, rate_hz, placement, gravity')
    return {
        str(name): Contract.from_dict({"modality": "imu", "axes": list("xyz"), **one}) for name, one in given.items()
    }


def _name(live: Live, name: Any) -> str:
    if name not in live.contracts:
        raise ValueError(f"stream {name!r} was not declared: there are {', '.join(live.contracts)}")
    return str(name)


def _pushed(live: Live, said: dict[str, Any]) -> Iterator[Ready]:
    name = _name(live, said["stream"])
    values, times = np.array(said["values"], np.float64), said.get("t")
    one = 2 if live.contracts[name].skeleton else 1
    if values.ndim == one:
        values, times = values[None], times if times is None else [times]
    start = said.get("start_s")
    given = None if times is None else np.array(times, dtype=np.float64)
    return live.windows.push(name, values.astype(np.float32), given, start_s=None if start is None else float(start))
