"""A reward model in one picture: is it as sure as it is right, and does its accuracy depend on length?

picture.draw(found, Path("runs/tiny/reward"))      # `found` is what reward_model.json holds; writes reward.png"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

IDEAL, MEASURED = "#9aa7b8", "#2f6f4f"


def draw(found: dict[str, Any], folder: Path) -> None:
    """Write reward.png: on the left calibration, on the right accuracy by length of the better answer."""
    from matplotlib.figure import Figure  # the object interface: no window system is asked for

    figure = Figure(figsize=(8, 3.6), layout="constrained", dpi=150)
    left, right = figure.subplots(1, 2)
    _calibration(left, found)
    _by_length(right, found)
    for axes in (left, right):
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{folder.name}: {found['accuracy']:.1%} of {found['pairs']:,} held-out pairs")
    figure.savefig(folder / "reward.png")


def _calibration(axes: Axes, found: dict[str, Any]) -> None:
    """The area of a point is its number of pairs."""
    bins = found["calibration"]
    axes.plot([0.5, 1], [0.5, 1], color=IDEAL, linewidth=1.2, label="as sure as right")
    sizes = [300 * one["pairs"] / found["pairs"] for one in bins]
    axes.scatter([one["confidence"] for one in bins], [one["accuracy"] for one in bins], s=sizes, color=MEASURED)
    axes.set(xlabel="how sure: sigmoid of the margin", ylabel="share in their order", xlim=(0.48, 1.02))
    axes.set_title(f"calibration error {found['expected_calibration_error']:.3f}", fontsize=10)
    axes.legend(frameon=False)


def _by_length(axes: Axes, found: dict[str, Any]) -> None:
    buckets = {name: one for name, one in found["accuracy_by_length"].items() if one["pairs"]}
    names = [f"{name.replace('_', ' ')}\n{one['pairs']:,} pairs" for name, one in buckets.items()]
    heights = [one["accuracy"] for one in buckets.values()]
    errors = [one["standard_error"] for one in buckets.values()]
    axes.bar(names, heights, yerr=errors, color=MEASURED, width=0.6, capsize=3)
    axes.axhline(0.5, color=IDEAL, linewidth=1.2)
    axes.set(ylabel="share in their order", ylim=(0, 1))
    axes.set_title("by length of the better answer", fontsize=10)
