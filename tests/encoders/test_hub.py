"""Where models come from: disk first, then one question to the hub, then the download."""

from types import SimpleNamespace

import pytest

from kinjo.encoders.hub import complete, fetched

huggingface_hub = pytest.importorskip("huggingface_hub")


def _hub(monkeypatch: pytest.MonkeyPatch, error: Exception | None) -> list[str]:
    asked: list[str] = []

    def model_info(self: object, name: str, *, timeout: float) -> object:
        asked.append(name)
        if error is not None:
            raise error
        return SimpleNamespace(id=name)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    return asked


def test_what_is_on_disk_asks_nobody(monkeypatch: pytest.MonkeyPatch):
    asked = _hub(monkeypatch, None)
    assert fetched(lambda local: f"local {local}", "a/b") == "local True"
    assert asked == []


def test_what_is_not_is_downloaded(monkeypatch: pytest.MonkeyPatch):
    asked = _hub(monkeypatch, None)

    def load(local: bool) -> str:
        if local:
            raise OSError("not here")
        return "downloaded"

    assert fetched(load, "a/b") == "downloaded"
    assert asked == ["a/b"]


def test_without_a_network_one_question_is_all(monkeypatch: pytest.MonkeyPatch):
    class ClientError(Exception):
        """The hub's client has errors of its own, which derive from none of ours."""

    asked, tried = _hub(monkeypatch, ClientError("no network")), []

    def load(local: bool) -> str:
        tried.append(local)
        raise OSError("not here")

    with pytest.raises(ValueError, match=r"'a/b' is no folder.*no network.*hf download a/b"):
        fetched(load, "a/b")
    assert (asked, tried) == (["a/b"], [True])


def test_a_package_missing_meanwhile_is_no_missing_model(monkeypatch: pytest.MonkeyPatch):
    _hub(monkeypatch, None)

    def load(local: bool) -> str:
        raise OSError("not here") if local else ModuleNotFoundError("no such package", name="other")

    with pytest.raises(ModuleNotFoundError, match="no such package"):
        fetched(load, "a/b")


def test_a_folder_is_never_looked_for_on_the_hub(monkeypatch: pytest.MonkeyPatch, tmp_path):
    asked = _hub(monkeypatch, None)

    def load(local: bool) -> str:
        raise ValueError("broken")

    with pytest.raises(ValueError, match=r"no model that can be read lies in this folder \(broken\)"):
        fetched(load, str(tmp_path))
    assert asked == []


@pytest.mark.parametrize(
    ("missing", "mismatched", "without", "fault"),
    [
        ({"a.w"}, set(), "-", "1 weights of object"),
        (set(), {("b.w", (1,), (2,))}, "-", r"b\.w"),
        ({"pooler.w", "a.w"}, set(), "pooler.", r"a\.w"),
        ({"pooler.w"}, set(), "pooler.", None),
        (set(), set(), "-", None),
    ],
)
def test_random_weights_do_not_pass(missing: set, mismatched: set, without: str, fault: str | None):
    loaded = object(), {"missing_keys": missing, "mismatched_keys": mismatched}
    if fault is None:
        assert complete(loaded, "a/b", without=without) == (loaded[0], missing)
    else:
        with pytest.raises(ValueError, match=fault):
            complete(loaded, "a/b", without=without)
