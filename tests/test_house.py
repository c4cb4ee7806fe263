"""The rules of the house that a test can hold: sizes, light imports, docstrings, paths, README's commands."""

import ast
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "kinjo"
MODULES = sorted(SOURCE.rglob("*.py"))
HEAVY = {
    "torch",
    "scipy",
    "pyarrow",
    "matplotlib",
    "sklearn",
    "aeon",
    "av",
    "pandas",
    "lightning_fabric",
    "onnxruntime",
}
GROUND = {
    "recording", "checks", "body", "signal", "timeline", "motion", "vary", "spline", "sensors",
    "simulate", "energy", "sync", "runtime", "excerpt", "live", "classes", "repetitions",
    "tape", "rhythms", "timeline_plot",
}  # fmt: skip
"""Modules of floor 1."""
GUESTS = {
    "runtime": {"onnxruntime"}, "timeline": {"pyarrow"}, "timeline_plot": {"matplotlib"},
    "motion": {"scipy"}, "vary": {"scipy"}, "spline": {"scipy"}, "sensors": {"scipy"}, "simulate": {"scipy"},
}  # fmt: skip
"""What a module of the ground may import besides NumPy, inside its functions."""
GROUND_NAMES = sorted(name for name in GROUND if (SOURCE / f"{name}.py").is_file())
FILE_LINES, FUNCTION_LINES, FUNCTION_GOAL = 500, 60, 45

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def python(code: str) -> str:
    """Output of ``code`` in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def code_lines(function: Function) -> int:
    """Lines of a function without its docstring: to say more is never punished."""
    lines = (function.end_lineno or function.lineno) - function.lineno + 1
    if ast.get_docstring(function) is None:
        return lines
    docstring = function.body[0]
    return lines - ((docstring.end_lineno or docstring.lineno) - docstring.lineno + 1)


def test_every_room_is_a_package():
    """Without an ``__init__.py`` a folder imports, but import-linter and the reference do not see it."""
    assert {path.parent.name for path in MODULES if not (path.parent / "__init__.py").is_file()} == set()


def test_no_file_grows_past_a_room():
    sizes = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in MODULES}
    assert {name: lines for name, lines in sizes.items() if lines > FILE_LINES} == {}


def test_no_function_grows_past_a_screen():
    long = [
        (code_lines(node), f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
        for path in MODULES
        for node in ast.walk(tree(path))
        if isinstance(node, Function)
    ]
    offenders = sorted((pair for pair in long if pair[0] > FUNCTION_GOAL), reverse=True)
    listed = "\n".join(f"{lines} lines: {where}" for lines, where in offenders)
    assert not any(lines > FUNCTION_LINES for lines, _ in offenders), f"over the goal of {FUNCTION_GOAL}:\n{listed}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_everything_public_says_what_it_is(path: Path):
    module = tree(path)
    silent = [
        f"{node.name} (line {node.lineno})"
        for node in module.body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_") and not ast.get_docstring(node)
        # an overload is a line of its function, which has the docstring
        if "overload" not in [getattr(decorator, "id", "") for decorator in node.decorator_list]
    ]
    assert ast.get_docstring(module), "the module has no docstring"
    assert silent == []


@pytest.mark.parametrize("modules", ["kinjo", "kinjo.cli", ", ".join(f"kinjo.{name}" for name in GROUND_NAMES)])
def test_import_is_light(modules: str):
    loaded = python(f"import sys, {modules}; print(*{{name.partition('.')[0] for name in sys.modules}})").split()
    assert HEAVY & set(loaded) == set(), "import them inside the function that needs them"


@pytest.mark.parametrize("name", GROUND_NAMES)
def test_the_ground_stands_on_numpy(name: str):
    allowed = {"numpy", "__future__"} | GUESTS.get(name, set())
    reached = set()
    for node in ast.walk(tree(SOURCE / f"{name}.py")):
        if isinstance(node, ast.Import):
            reached |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            inside = node.module == "kinjo"
            reached |= {f"kinjo.{alias.name}" for alias in node.names} if inside else {str(node.module)}
    foreign = {
        full
        for full in reached
        if full.partition(".")[0] not in allowed | sys.stdlib_module_names
        and full not in {f"kinjo.{other}" for other in GROUND} | {"kinjo.__version__"}
    }
    assert foreign == set()


def test_torchvision_is_absent_or_works():
    """A torchvision built for another torch imports with an error, and breaks packages that only look for it."""
    if find_spec("torchvision") is not None:
        python("import torchvision")


def tracked() -> list[Path]:
    """Files of the repository, and new ones that git does not ignore."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_path_of_a_machine_is_committed():
    # "/home/me" is nobody's: tests and docs may use it as an example
    machine = re.compile(rb"(?<![\w./~-])/(?:(?:work|tmp|root|opt)/|(?:home|Users)/(?!me\b))\w")
    found = []
    for path in tracked():
        content = path.read_bytes()
        if b"\0" in content[:8192]:
            continue
        for number, line in enumerate(content.splitlines(), 1):
            if machine.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100].decode(errors='replace')}")
    assert found == []


def test_no_data_is_committed():
    data = {".mat", ".npy", ".npz", ".mp4", ".parquet", ".arrow", ".pkl", ".pt", ".zip", ".cwa"}
    assert [path.name for path in tracked() if path.suffix in data] == []


def test_make_bench_knows_every_benchmark():
    listed = re.search(r"^BENCHES :=((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert listed
    names = set(listed.group(1).replace("\\", " ").split())
    assert names == {path.stem for path in (ROOT / "benchmarks").glob("*.py") if not path.stem.startswith("_")}


PAGES = [path for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))] if path.is_file()]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a page in a language (a regular expression)."""
    return re.findall(
        rf"^ *```(?:{language})\b[^\n]*\n(.*?)^ *```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def commands(verb: str) -> dict[str, None]:
    """The lines of the pages' shell blocks that begin with ``verb``, each once, without prompts and comments."""
    lines = [
        line.strip().removeprefix("$ ").partition(" #")[0].strip()
        for page in PAGES
        for block in blocks(page, "console|bash|sh|shell")
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return dict.fromkeys(line for line in lines if line.startswith(f"{verb} "))


def test_readme_shows_how_to_start():
    shown = "".join(blocks(ROOT / "README.md", "console|bash|sh|shell"))
    assert "make demo" in shown
    assert "kinjo " in shown


@pytest.mark.parametrize("line", commands("make"))
def test_make_lines_of_the_pages_exist(line: str):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    targets |= {f"bench-{path.stem.replace('_', '-')}" for path in (ROOT / "benchmarks").glob("[a-z]*.py")}
    named = {word.replace("_", "-") for word in line.split()[1:] if "=" not in word}
    assert named <= targets


@pytest.mark.parametrize("line", commands("kinjo"))
def test_kinjo_lines_of_the_pages_exist(line: str):
    """The help of the line's command is shown, and it lists every option that the line uses."""
    words = line.split()[1:]
    first_option = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    code = f"import sys; sys.argv = ['kinjo', *{words[:first_option]!r}, '--help']; from kinjo.cli import main; main()"
    shown = python(f"import os; os.environ.update(COLUMNS='200', TERM='dumb', NO_COLOR='1'); {code}")
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert {option for option in options if not re.search(rf"(?<![\w-]){option}\b", shown)} == set()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=lambda page: page.stem)
def test_python_of_the_pages_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The blocks of a page run one after the other, as a reader would run them."""
    monkeypatch.chdir(tmp_path)
    exec(compile("\n".join(blocks(page, "python")), str(page), "exec"), {"__name__": "__main__"})
