"""The fuzzer in small: nothing breaks, nothing leaks, nobody gets in."""

from types import ModuleType


def test_nothing_breaks_leaks_or_gets_in(fuzz_serve: ModuleType):
    found = fuzz_serve.run(examples=6)
    assert found.faults == []
    assert found.escapes == []
    assert found.unauthorised == []
    assert {"by schema", "files", "paths", "sizes", "streams", "tokens"} <= set(found.tried)
