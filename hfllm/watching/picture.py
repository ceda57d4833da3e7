"""The watch in one picture: what the proxy gained and what the audits say of it, over the root of the distance.

    picture.draw(Path("runs/tiny/ppo/watch.png"), report, measurements)

Over the root of the KL, as in Gao, Schulman and Hilton (arXiv 2210.10760, figure 1): a gold score rises, bends and
falls there, while the proxy goes on. Scores are in z, spreads of step 0. Dashed: what choosing among n answers of the
first policy gives, without training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm.watching.measures import Measurement, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PROXY, KEPT, EVENT = "#c0392b", "#444444", "#c0392b"
AUDITS = ["#2f6f4f", "#7d5ba6", "#b7791f", "#2a6f97"]
MEASURED = "#9aa7b8"  # neither trained on nor an audit


def draw(file: Path, report: dict[str, Any], seen: Sequence[Measurement]) -> None:
    """`report` is what watch.json holds."""
    from matplotlib.figure import Figure  # the object interface: no window system is asked for

    figure = Figure(figsize=(7.5, 4.8), layout="constrained", dpi=150)
    axes = figure.subplots()
    points, start = report["best_of_n"], seen[0]
    curve(axes, seen, [one.proxy.z for one in seen], PROXY, "proxy (trained on)", best_of(points, None, start.proxy))
    others = [name for name in start.rewards if name not in report["audits"]]
    colours = [*zip(report["audits"], cycle(AUDITS), strict=False), *((name, MEASURED) for name in others)]
    for name, colour in colours:
        values = [one.rewards[name].z for one in seen]
        kind = "audit" if name in report["audits"] else "only measured"
        curve(axes, seen, values, colour, f"{name} ({kind})", best_of(points, name, start.rewards[name]))
    if points:
        axes.plot(
            [], [], color="#777777", linewidth=1.2, linestyle="--", label=f"best of 1 to {len(points)}, no training"
        )
    bottom, top = axes.get_ylim()
    axes.set_ylim(bottom, top + 0.15 * (top - bottom))  # room above the curves, for the words at the lines
    mark(axes, report, seen)
    axes.set(xlabel="distance from the first policy: root of the KL (nats a sequence)", ylabel="spreads of step 0")
    axes.set_title(title(report, file.parent.name), fontsize=10, loc="left")
    axes.axhline(0, color="#cccccc", linewidth=0.8, zorder=0)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(file)


def curve(
    axes: Axes,
    seen: Sequence[Measurement],
    values: Sequence[float | None],
    colour: str,
    name: str,
    best_of_n: list[tuple[float, float]],
) -> None:
    """Of one reward: the run, a dot an evaluation, and what choosing among n answers would have given."""
    points = [(one.sqrt_kl, value) for one, value in zip(seen, values, strict=True) if value is not None]
    if points:
        axes.plot(*zip(*points, strict=True), color=colour, linewidth=1.8, marker="o", markersize=3, label=name)
    if best_of_n:
        axes.plot(*zip(*best_of_n, strict=True), color=colour, linewidth=1.2, linestyle="--", alpha=0.7)


def best_of(points: list[dict[str, Any]], name: str | None, start: Score) -> list[tuple[float, float]]:
    """(root of the KL, gain over n = 1 in z) of the best of n; `name` None is the proxy."""
    values = [(point["kl"], point["proxy"] if name is None else point["rewards"][name]) for point in points]
    judged = [(kl, value) for kl, value in values if value is not None]
    return [(math.sqrt(kl), (value - judged[0][1]) / (start.spread or 1.0)) for kl, value in judged]


def mark(axes: Axes, report: dict[str, Any], seen: Sequence[Measurement]) -> None:
    """Lines at the weights that are best by audit, and where the watch acted first."""
    places = {one.step: one.sqrt_kl for one in seen}
    lines = [(report["best_step"], f"best by audit: step {report['best_step']}", KEPT, -10)]
    if report["events"]:
        step = report["events"][0]["step"]
        lines.append((step, f"{DONE[report['events'][0]['action']]}: step {step}", EVENT, -22))
    for step, words, colour, height in lines:
        right = places[step] < 0.75 * max(places.values())  # of the line, where there is room for the words
        axes.axvline(places[step], color=colour, linewidth=1, linestyle=":")
        axes.annotate(
            words,
            (places[step], 1),
            xycoords=("data", "axes fraction"),
            xytext=(4 if right else -4, height),
            textcoords="offset points",
            horizontalalignment="left" if right else "right",
            color=colour,
            fontsize=8,
        )


DONE = {"stop": "stopped", "observe": "would have stopped", "raise_kl": "KL raised"}


def title(report: dict[str, Any], name: str) -> str:
    """What happened, in a line."""
    if not report["events"]:
        return f"{name}: the watch found nothing"
    first = report["events"][0]
    words = f"{name}: {DONE[first['action']]} at step {first['step']}"
    return f"{words}, step {report['best_step']} kept" if first["action"] == "stop" else words
