"""``python -m kinjo.base``: corpora, training, recognizer, and with ``--ship`` the files of the package."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

import torch

from kinjo.base.data import REAL, SMALL, VIRTUAL, Size, build
from kinjo.base.ship import ship
from kinjo.base.sources import Choice
from kinjo.base.train import OBJECTIVES, SIZES, Variant, train
from kinjo.recipe import Recipe


def parser() -> argparse.ArgumentParser:
    """The options."""
    out = argparse.ArgumentParser("python -m kinjo.base", description=(__doc__ or "").replace("``", "'"))
    out.add_argument("recipe", type=Path, help="recipes/kinjo-base.toml")
    out.add_argument("--data", type=Path, help="the folder of the data sets; none: simulated people alone")
    out.add_argument("-o", "--out", type=Path, default=Path("base"), help="corpora and trainings; goes on from there")
    out.add_argument("--steps", type=int, help="of training; none: the recipe's")
    out.add_argument("--minutes", type=float, help="of training, by this machine's speed, in place of steps")
    out.add_argument("--size", choices=list(SIZES), default="1", help="millions of parameters")
    out.add_argument("--objective", choices=list(OBJECTIVES), default="all")
    out.add_argument("--rotation", type=float, help="degrees by which sensors are turned; none: the recipe's")
    out.add_argument("--nowhere", action="store_true", help="no token says where it is from")
    out.add_argument("--without", nargs="*", default=[], choices=[*VIRTUAL, *REAL], help="sets to leave out")
    out.add_argument("--only", choices=["both", "virtual", "real"], default="both")
    out.add_argument("--hold", nargs="*", default=[], help="places to hold out, such as wrist")
    out.add_argument("--seed", type=int, default=0)
    out.add_argument("--threads", type=int, default=2)
    out.add_argument("--small", action="store_true", help="a few people: to try it")
    out.add_argument("--ship", action="store_true", help="write the weights into the package")
    return out


def main(words: list[str] | None = None) -> Path:
    """Run it; the checkpoint of the recognizer."""
    given = parser().parse_args(words)
    torch.set_num_threads(given.threads)
    choice = Choice(tuple(sorted(given.without)), given.only, tuple(sorted(given.hold)))
    variant = Variant(given.size, given.rotation, not given.nowhere, given.objective)
    recipe = variant.of(Recipe.load(given.recipe), given.steps)
    stores = build(given.out / "corpora", given.data, SMALL if given.small else Size())
    folder = given.out / f"{variant.name}-{choice.name}-seed{given.seed}"
    given_words = sys.argv[1:] if words is None else words
    shown = ["folder" if word.startswith(("/", "~")) else word for word in given_words]
    made = train(
        recipe, stores, folder, choice=choice, minutes=given.minutes, seed=given.seed,
        command=f"python -m kinjo.base {shlex.join(shown)}",
    )  # fmt: skip
    print(made)
    if given.ship:
        for name, told in ship(made)["files"].items():
            print(f"{name}: {told['bytes'] / 1e6:.2f} MB")
    return made


if __name__ == "__main__":
    main()
