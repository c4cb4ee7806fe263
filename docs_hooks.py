"""For MkDocs: pictures of the results are shown from where they lie, outside the pages' folder."""

from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

RESULTS = Path("benchmarks") / "results"


def on_files(files: Files, config: Any) -> Files:
    """The pictures, as ``results/...`` of the site."""
    root = Path(config["config_file_path"]).parent
    for picture in sorted((root / RESULTS).glob("*.png")):
        files.append(File.generated(config, f"results/{picture.name}", abs_src_path=str(picture)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links that hold in the repository, as they hold in the site."""
    return markdown.replace(f"](../{RESULTS.as_posix()}/", "](results/")
