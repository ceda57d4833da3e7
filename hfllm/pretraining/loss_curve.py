"""The loss of a run as a picture: bits per byte of training and of held-out text over the tokens seen.

    loss_curve.draw(Path("runs/tiny/pretrain"), bytes_per_token=3.1)      # reads log.jsonl, writes loss.png

The training loss is logged in nats a token; the mean bytes of a training token turn it into bits per byte."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

Point = tuple[float, float]  # tokens, bits per byte


def points(log: list[dict[str, Any]], bytes_per_token: float, tokens_per_step: int) -> tuple[list[Point], list[Point]]:
    """The curve of training and the curve of held-out text."""
    train = [
        (entry["step"] * tokens_per_step, entry["loss"] / math.log(2) / bytes_per_token)
        for entry in log
        if "loss" in entry
    ]
    heldout = [
        (entry["step"] * tokens_per_step, entry["eval_bits_per_byte"]) for entry in log if "eval_bits_per_byte" in entry
    ]
    return train, heldout


def draw(folder: Path, bytes_per_token: float, tokens_per_step: int) -> None:
    """Write loss.png beside the log.jsonl in `folder`."""
    from matplotlib.figure import Figure  # the object interface: no window system is asked for

    log = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    train, heldout = points(log, bytes_per_token, tokens_per_step)
    figure = Figure(figsize=(7, 4.2), layout="constrained", dpi=150)
    axes = figure.subplots()
    if train:
        axes.plot(*zip(*train, strict=True), color="#9aa7b8", linewidth=1.2, label="training text")
    if heldout:
        axes.plot(
            *zip(*heldout, strict=True), color="#c0392b", linewidth=1.8, marker="o", markersize=4, label="held-out text"
        )
        axes.annotate(f"{heldout[-1][1]:.3f}", heldout[-1], xytext=(6, 6), textcoords="offset points", color="#c0392b")
    axes.set(xlabel="tokens", ylabel="bits per byte", title=folder.name, ylim=(0, None))
    axes.xaxis.set_major_formatter(lambda tokens, _: short(tokens))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if train or heldout:
        axes.legend(frameon=False)
    figure.savefig(folder / "loss.png")


def short(number: float) -> str:
    """1500000 -> 1.5M"""
    for unit, name in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(number) >= unit:
            return f"{number / unit:g}{name}"
    return f"{number:g}"
