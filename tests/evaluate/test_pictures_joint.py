"""Pictures of a joint space's results: each is drawn with its words, numbers and intervals, none is empty."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.image import imread

from kinjo.evaluate import calibration, pictures_joint
from kinjo.evaluate.finetune import Line, Table
from kinjo.evaluate.robustness import Grid, Measured

BUDGETS = ("all", "clips:1", "clips:10", "clips:4")
ARMS = ("scratch", "pretrained", "frozen", "minirocket")
INPUTS = ("imu", "pose", "imu_pose")


def table() -> Table:
    """Lines of every arm, budget and input; MiniRocket has no ``clips:1``."""
    lines = []
    for i, name in enumerate(INPUTS):
        for budget in BUDGETS:
            for a, arm in enumerate(ARMS):
                if (arm, budget) == ("minirocket", "clips:1"):
                    continue
                f1 = 0.3 + 0.1 * i + {"clips:1": 0.0, "clips:4": 0.15, "clips:10": 0.25}.get(budget, 0.35) + 0.02 * a
                lines.append(Line(arm, budget, name, (0,), f1, f1, None, None, (f1 - 0.05, f1 + 0.04), (f1,)))
    return Table(tuple(lines), 100, 4, {}, np.arange(4))


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved, to look into."""
    kept: list[Figure] = []
    save = Figure.savefig

    def noted(self: Figure, *given: Any, **how: Any) -> None:
        kept.append(self)
        save(self, *given, **how)

    monkeypatch.setattr(Figure, "savefig", noted)
    return kept


def drawn(path: Path) -> bool:
    """Whether there is more than one colour."""
    pixels = imread(path)
    return pixels.shape[0] > 200 and pixels.shape[1] > 200 and float(pixels[..., :3].std()) > 0.02


def test_label_efficiency_has_a_panel_per_input_and_a_line_per_arm(tmp_path: Path, figures: list[Figure]) -> None:
    path = tmp_path / "new" / "labels.png"
    pictures_joint.label_efficiency(table(), path, title="Few labels and many")
    assert drawn(path)
    (figure,) = figures
    assert [axes.get_title() for axes in figure.axes] == ["imu", "pose", "imu + pose"]
    for axes in figure.axes:
        assert [line.get_label() for line in axes.lines] == list(ARMS)
        words = [x.get_text() for x in axes.get_xticklabels()]
        assert words == ["1 clip a class", "4 clips a class", "10 clips a class", "all labels"]  # fewest on the left
        assert np.size(axes.lines[-1].get_xdata()) == 3  # what was not measured is left out
        assert np.all(np.diff(axes.lines[0].get_ydata()) > 0)  # type: ignore[arg-type]
        assert len(axes.collections) == len(ARMS)  # bands


def test_more_arms_than_colours_are_all_drawn(tmp_path: Path, figures: list[Figure]) -> None:
    arms = [f"arm {k}" for k in range(9)]
    lines = tuple(Line(arm, "all", "imu", (0,), 0.5, 0.5, None, None, (0.4, 0.6), (0.5,)) for arm in arms)
    pictures_joint.label_efficiency(Table(lines, 10, 2, {}, np.arange(2)), tmp_path / "many.png")
    assert [line.get_label() for line in figures[0].axes[0].lines] == arms
    assert len({(line.get_color(), line.get_linestyle()) for line in figures[0].axes[0].lines}) == len(arms)


def test_retrieval_map_says_each_number(tmp_path: Path, figures: list[Figure]) -> None:
    recall = {("imu", "pose"): 0.81, ("pose", "imu"): 0.34, ("text", "imu"): 0.55, ("imu", "text"): 0.02}
    pictures_joint.retrieval_map(recall, tmp_path / "map.png", title="Who finds whom")
    assert drawn(tmp_path / "map.png")
    axes = figures[0].axes[0]
    places = {x.get_text(): x.get_position() for x in axes.texts}
    names = [x.get_text() for x in axes.get_xticklabels()]
    assert set(places) == {"0.81", "0.34", "0.55", "0.02"}
    assert places["0.55"] == (names.index("imu"), names.index("text"))  # column answers, row asks


def test_reliability_shows_every_bin(tmp_path: Path, figures: list[Figure]) -> None:
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(5, 0.4), 4000)
    truth = np.where(rng.random(4000) < 0.8, [rng.choice(5, p=row) for row in p], rng.integers(0, 5, 4000))
    found = calibration.reliability(p, truth)
    pictures_joint.reliability(found, tmp_path / "sure.png", title="Sure and right")
    assert drawn(tmp_path / "sure.png")
    axes, below = figures[0].axes
    assert [bar.get_height() for bar in below.patches] == found.count.tolist()  # type: ignore[attr-defined]
    assert len(found.count) > 5
    np.testing.assert_allclose(np.asarray(axes.lines[1].get_xdata(), float), found.confidence)
    np.testing.assert_allclose(np.asarray(axes.lines[1].get_ydata(), float), found.accuracy)
    assert f"ECE {found.ece:.3f}" in [x.get_text() for x in axes.get_legend().get_texts()]  # type: ignore[union-attr]


def test_bars_keep_their_order_and_their_intervals(tmp_path: Path, figures: list[Figure]) -> None:
    values = {"joint, weights fixed": 0.62, "joint, learnt by uncertainty": 0.66, "alternating": 0.58, "staged": 0.71}
    spans = {name: (x - 0.06, x + 0.03) for name, x in values.items()}
    pictures_joint.bars(values, spans, tmp_path / "bars.png", title="Strategies")
    assert drawn(tmp_path / "bars.png")
    (axes,) = figures[0].axes
    height = {x.get_text(): at for x, at in zip(axes.get_yticklabels(), axes.get_yticks(), strict=True)}
    assert sorted(height, key=lambda name: -height[name]) == list(values)
    left, right = axes.get_xlim()
    assert all(left <= low and high <= right for low, high in spans.values())
    points = next(line for line in axes.lines if line.get_marker() == "o")
    np.testing.assert_allclose(np.asarray(points.get_xdata(), float), list(values.values()))
    assert [x.get_text() for x in axes.texts] == ["0.620", "0.660", "0.580", "0.710"]


def test_bars_of_values_below_nought_are_seen(tmp_path: Path, figures: list[Figure]) -> None:
    spans = {"a": (-0.12, -0.04), "b": (0.01, 0.05)}
    pictures_joint.bars({"a": -0.08, "b": 0.03}, spans, tmp_path / "gains.png", label="gain in macro-F1")
    left, right = figures[0].axes[0].get_xlim()
    assert left <= -0.12
    assert right >= 0.05


def test_robustness_is_set_against_clean_windows(tmp_path: Path, figures: list[Figure]) -> None:
    clean = Measured("clean", "", 0.8, 0.8, (0.75, 0.85), 0.0, (0.0, 0.0))
    worse = [
        Measured(name, level, 0.8 - x, 0.8 - x, (0.7 - x, 0.88 - x), x, (x - 0.1, x + 0.1))
        for name, level, x in (
            ("only", "imu", 0.25),
            ("only", "pose", 0.1),
            ("noise", "0.3", 0.05),
            ("gaps", "50%", -0.01),
        )
    ]
    pictures_joint.robustness(Grid((clean, *worse), 100, 4), tmp_path / "robust.png", title="Given less, or worse")
    assert drawn(tmp_path / "robust.png")
    (axes,) = figures[0].axes
    assert [x.get_text() for x in axes.get_yticklabels()] == ["only imu", "only pose", "noise 0.3", "gaps 50%"]
    assert [x.get_text() for x in axes.texts] == ["-0.250", "-0.100", "-0.050", "+0.010"]
    assert axes.yaxis_inverted()
    points = [float(np.ravel(x.get_xdata())[0]) for x in axes.lines if x.get_marker() == "o"]
    assert points == pytest.approx([row.macro_f1 for row in worse])
    np.testing.assert_allclose(np.asarray(axes.lines[-1].get_xdata(), float), 0.8)  # the clean windows' line
