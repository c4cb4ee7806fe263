"""What goes wrong, as answers: kinjo's errors become 4xx with what to do next, in one form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, Field
from starlette.responses import Response

from kinjo.corpus.errors import CorpusError
from kinjo.formats.errors import FormatError
from kinjo.recording import ContractError
from kinjo.runtime import ModelError, ProfileError

ASKED = "to be told: "
"""How ``formats.wearable`` begins what it expects where a file does not say everything."""
FIELDS = {"rate": "rate_hz", "time units": "time_units"}
EXAMPLES = {
    "rate_hz": "50",
    "time_units": '"ms"',
    "placement": '"left_wrist"',
    "gravity": "true",
    "units": '{"acc": "g"}',
}


class Problem(BaseModel):
    """What went wrong, and what to do."""

    error: str = Field(description="A word for programs: question, contract, format, value, rate, too_large, ...")
    detail: str = Field(description="What went wrong, in a sentence.")
    next: str = Field("", description="What to do.")
    fields: list[str] = Field(default_factory=list, description="The fields of the request that it is about.")


class Refused(Exception):
    """A request that is not answered. ``headers``: such as Retry-After."""

    def __init__(
        self, status: int, error: str, detail: str, next: str = "", *,
        fields: tuple[str, ...] = (), headers: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(detail)
        self.status, self.error, self.detail, self.next = status, error, detail, next
        self.fields, self.headers = fields, dict(headers or {})

    def to_dict(self) -> dict[str, Any]:
        """As ``Problem``."""
        return {"error": self.error, "detail": self.detail, "next": self.next, "fields": list(self.fields)}


def answer(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON in ASCII: whatever a client or a file wrote can be told."""
    return Response(json.dumps(content), status, headers, media_type="application/json")


def refusal_of(error: Exception) -> Refused | None:
    """How an error is answered; None for one that is a fault of kinjo's."""
    if isinstance(error, Refused):
        return error
    if isinstance(error, FormatError) and error.expected.startswith(ASKED):
        return _question(error)
    if isinstance(error, FormatError):
        return Refused(422, "format", str(error), error.hint)
    if isinstance(error, ContractError):
        return Refused(422, "contract", str(error), error.hint, fields=(error.field,))
    if isinstance(error, ProfileError | ModelError):
        return Refused(409, "profile", str(error), "Use another profile, or the model that it was taught to.")
    if isinstance(error, CorpusError):
        return Refused(422, "corpus", str(error), fields=("corpus",))
    if isinstance(error, ValueError):
        return Refused(422, "value", str(error) or type(error).__name__)
    if isinstance(error, MemoryError):
        return Refused(413, "too_large", "it does not fit into memory", "Cut it into parts.")
    if isinstance(error, ImportError) and error.name:
        return Refused(415, "not_installed", f"the server has no {error.name} to read it with")
    if isinstance(error, FileNotFoundError | NotADirectoryError | IsADirectoryError):
        return Refused(404, "not_found", "no such file in the data folder", "Correct the path.")
    return None


def _question(error: FormatError) -> Refused:
    """What the file does not say, as the fields that say it."""
    missing = error.expected.removeprefix(ASKED).split(", ")
    names = [FIELDS.get(what.partition(" of ")[0], what.partition(" of ")[0]) for what in missing]
    fields = tuple(dict.fromkeys(names))
    said = ", ".join(f"{name} (say {EXAMPLES.get(name, '...')})" for name in fields)
    detail = f"what has to be told: {', '.join(missing)}"
    return Refused(422, "question", detail, f"Send it again with {said}: what is true of this file.", fields=fields)
