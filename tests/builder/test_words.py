"""Words: a text base by meaning, an endpoint that answers or does not, the grammar; NULL stays NULL."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kinjo.builder.errors import BuildError
from kinjo.builder.words import LONGEST, Endpoint, described, read_base


@pytest.fixture
def endpoint() -> Iterator[tuple[Endpoint, list[dict[str, object]]]]:
    """A server that speaks OpenAI's protocol and repeats the question; one about lunges breaks it."""
    asked: list[dict[str, object]] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
            question = body["messages"][0]["content"]
            self.send_response(500 if "lunge" in question else 200)
            self.end_headers()
            answer = {"choices": [{"message": {"content": f"  About {question}\n\nand more "}}]}
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, format: str, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Endpoint(f"http://127.0.0.1:{server.server_address[1]}/v1", "tiny", "secret", 10.0), asked
        server.shutdown()


def test_the_grammar_says_what_the_title_says():
    squat, intro, other = described(["SQUATS x10 🔥", "Intro", "Zorp flails (left)"])
    assert (squat.label, squat.repetitions, squat.origin) == ("squat", 10, "grammar")
    assert "squat" in squat.description
    assert len(set(squat.sentences)) == len(squat.sentences) > 3
    assert (intro.label, intro.repetitions) == ("", None)
    assert "no exercise" in intro.description
    assert other.side == "left"
    assert "left side" in other.description
    assert described([]) == []


def test_an_endpoint_is_asked_and_may_fail(endpoint: tuple[Endpoint, list[dict[str, object]]]):
    server, asked = endpoint
    notes: list[str] = []
    squat, lunge, rest = described(["Squats", "Lunges", "Rest"], endpoint=server, notes=notes)
    assert squat.origin == "endpoint"
    assert squat.description.startswith("About Describe in one sentence")
    assert "\n" not in squat.description
    assert len(squat.description) <= LONGEST
    assert lunge.origin == "grammar"
    assert len(notes) == 1
    assert "500" in notes[0]
    assert rest.label == ""
    assert [a["path"] for a in asked] == ["/v1/chat/completions"] * 2
    assert asked[0]["key"] == "Bearer secret"
    assert asked[0]["model"] == "tiny"


def test_a_text_base_is_found_by_meaning(tmp_path: Path):
    pytest.importorskip("sentence_transformers")
    base = tmp_path / "base.json"
    rows = [
        {"name": "Squats", "instructions": ["Stand upright.", "Bend the knees.", "word " * 200]},
        {"name": "Bench Press", "description": "Lie on a bench and push a bar."},
        {"name": 3}, "nonsense",
    ]  # fmt: skip
    base.write_text(json.dumps(rows))
    squat, other = described(["Squat", "Waving at the neighbours"], base=base)
    assert squat.origin == "base: Squats"
    assert squat.description == "Stand upright. Bend the knees."
    assert other.origin == "grammar"


def test_what_is_no_text_base(tmp_path: Path):
    for text, said in (("{", "not a text base"), ("[]", "expected a JSON list"), ('{"name": "a"}', "expected a JSON")):
        (tmp_path / "base.json").write_text(text)
        with pytest.raises(BuildError, match=said):
            read_base(tmp_path / "base.json")
    with pytest.raises(BuildError, match="not a text base"):
        read_base(tmp_path / "gone.json")
