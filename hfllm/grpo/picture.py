"""Accuracy and length of a practice run in one picture: as a model finds out how to think, both rise.

picture.draw(Path("runs/tiny/grpo"))      # reads log.jsonl, writes practice.png"""

from __future__ import annotations

import json
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Entry = dict[str, Any]
TRAINED, HELD_OUT = "#9aa7b8", "#c0392b"
MEASURED = ["#2f6f4f", "#7d5ba6", "#b7791f"]  # one colour for each further reward whose values lie between 0 and 1


def curve(log: list[Entry], key: str) -> list[tuple[int, float]]:
    """(step, value) of every entry that has the key."""
    return [(entry["step"], entry[key]) for entry in log if entry.get(key) is not None]


def draw(folder: Path) -> None:
    """Write practice.png beside the log.jsonl in `folder`: above the accuracy (or the reward), below the length."""
    from matplotlib.figure import Figure  # the object interface: no window system is asked for

    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    figure = Figure(figsize=(7, 6), layout="constrained", dpi=150)
    above, below = figure.subplots(2, sharex=True)
    measure, held_out = ("rewards/accuracy/mean", "eval_pass@1")
    if not curve(log, measure):
        measure, held_out = "reward", "eval_reward"
    _panel(above, log, measure, held_out, "accuracy" if "accuracy" in measure else "reward")
    for colour, key in zip(cycle(MEASURED), _shares(log, measure), strict=False):
        above.plot(*zip(*curve(log, key), strict=True), color=colour, linewidth=1.2, label=_name(key))
    _panel(below, log, "completions/mean_length", "eval_completions/mean_length", "tokens a completion")
    above.set_title(folder.name)
    below.set_xlabel("steps")
    for axes in (above, below):
        axes.set_ylim(0, None)
        axes.legend(frameon=False)
    figure.savefig(folder / "practice.png")


def _panel(axes: Axes, log: list[Entry], trained: str, held_out: str, label: str) -> None:
    if points := curve(log, trained):
        axes.plot(*zip(*points, strict=True), color=TRAINED, linewidth=1.2, label="while practising")
    if points := curve(log, held_out):
        axes.plot(*zip(*points, strict=True), color=HELD_OUT, linewidth=1.8, marker="o", label="held-out problems")
        for point, offset in ((points[0], (8, -4)), (points[-1], (4, 6))):
            axes.annotate(f"{point[1]:.3g}", point, xytext=offset, textcoords="offset points", color=HELD_OUT)
    axes.set_ylabel(label)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _shares(log: list[Entry], already: str) -> list[str]:
    """Mean rewards, other than the one drawn already, that never leave [0, 1]: shares of the completions."""
    keys = {key for entry in log for key in entry if key.startswith("rewards/") and key.endswith("/mean")}
    return sorted(
        key for key in keys - {already} if curve(log, key) and all(0 <= value <= 1 for _, value in curve(log, key))
    )


def _name(key: str) -> str:
    return key.split("/")[1].replace("_", " ")
