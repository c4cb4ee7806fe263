"""What a service counts, for Prometheus, and its log: one line of JSON for each request."""

from __future__ import annotations

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

LOG = logging.getLogger("kinjo.serve")
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "WEBSOCKET")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Metrics:
    """One registry for each app: several may live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        own: Any = {"registry": self.registry}
        self.requests = Counter("kinjo_requests", "Requests answered.", ["method", "route", "status"], **own)
        self.seconds = Histogram("kinjo_request_seconds", "Time to answer.", ["route"], buckets=SECONDS, **own)
        self.clients = Gauge("kinjo_stream_clients", "WebSockets that are open.", **own)
        self.dropped = Counter("kinjo_stream_dropped", "WebSockets that the service closed.", ["reason"], **own)
        self.windows = Counter("kinjo_windows", "Windows of streams that were scored.", **own)
        self.window_seconds = Histogram(
            "kinjo_window_seconds", "From a window's last frame to its event.", buckets=SECONDS, **own
        )
        self.taught = Counter("kinjo_taught", "Activities taught, forgotten and taken back.", ["what"], **own)
        self.memory = Gauge("kinjo_memory_bytes", "Resident memory of the process.", **own)
        self.memory.set_function(resident_bytes)

    def text(self) -> bytes:
        """All of it, as Prometheus reads it."""
        return generate_latest(self.registry)


def resident_bytes() -> float:
    """Memory of this process now; elsewhere than on Linux the most that it had."""
    try:
        import os

        return float(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError, ValueError):
        import resource

        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def log(level: int = logging.INFO, **said: Any) -> None:
    """A line of JSON. Nobody passes tokens, queries or bodies here."""
    if LOG.isEnabledFor(level):
        when = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime()) + f".{int(time.time() * 1000) % 1000:03d}Z"
        LOG.log(level, json.dumps({"time": when, "level": logging.getLevelName(level).lower(), **said}))


def log_to_stderr() -> None:
    """Have the lines written, for a process that serves."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.handlers, LOG.propagate = [handler], False
    LOG.setLevel(logging.INFO)
