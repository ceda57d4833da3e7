"""Does a recipe's loss make sense? TRL asks at the first step, with the model in memory, or never.

    list(mistakes({"loss_type": ["sigmod"]}))  ->  [("loss_type", "'sigmod' is not one of ...; did you mean sigmoid?")]

With `label_smoothing` most losses are what they were without it, and nothing says so."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hfllm.mistakes import near

# `DPOTrainer._compute_loss` of TRL 1.16
LOSSES = [
    *("sigmoid", "hinge", "ipo", "exo_pair", "nca_pair", "robust", "bco_pair", "sppo_hard", "aot", "aot_unpaired"),
    *("apo_zero", "apo_down", "discopop", "sft", "sigmoid_norm"),
]
DIVERGENCES = ["reverse_kl", "forward_kl", "js_divergence", "alpha_divergence"]
OF_DIFFERENCES = {"sigmoid", "sigmoid_norm", "hinge", "ipo", "exo_pair", "robust", "discopop", "sft"}
SORTED = {"aot", "aot_unpaired"}  # they sort the pairs of a batch
SMOOTHED = {"robust", "exo_pair", *SORTED}  # the losses that read label_smoothing


def mistakes(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of every value of a recipe that DPOTrainer would stumble over, or leave out without a word."""
    losses = set(values.get("loss_type") or ["sigmoid"])
    yield from _unknown("loss_type", sorted(losses), LOSSES)
    yield from _divergence(values.get("f_divergence_type", "reverse_kl"), losses)
    yield from _smoothing(values.get("label_smoothing", 0.0), losses)
    if values.get("beta", 0.1) <= 0:
        yield "beta", "how strongly the model is held to its start; write a number above 0, such as 0.1"
    if values.get("ld_alpha") is not None and not 0 <= values["ld_alpha"] <= 1:
        yield "ld_alpha", f"{values['ld_alpha']} is no weight from 0 to 1; remove it for plain DPO"
    if values.get("use_weighting") and losses & SORTED:
        yield "use_weighting", f"the loss {min(losses & SORTED)} sorts the pairs, so they have no weights; remove it"


def _divergence(divergence: str, losses: set[str]) -> Iterator[tuple[str, str]]:
    yield from _unknown("f_divergence_type", [divergence], DIVERGENCES)
    if divergence != "reverse_kl" and (others := losses - OF_DIFFERENCES):
        yield "f_divergence_type", f"the loss {min(others)} has no form with {divergence}; remove one of them"


def _smoothing(share: float, losses: set[str]) -> Iterator[tuple[str, str]]:
    """`share`: of labels that are thought wrong."""
    if not 0 <= share < 0.5:
        yield "label_smoothing", f"{share}: the share of wrong labels is at least 0 and below 0.5"
    if share and not losses & SMOOTHED:
        yield "label_smoothing", f"the loss {min(losses)} does not read it; write  loss_type: [robust]  or remove it"
    if not share and "exo_pair" in losses:
        yield "loss_type", "exo_pair divides by it: write  label_smoothing: 1.0e-3  (arXiv 2402.00856)"


def _unknown(key: str, given: list[str], known: list[str]) -> Iterator[tuple[str, str]]:
    for name in given:
        if name not in known:
            yield key, f"{name!r} is not one of {', '.join(known)}{near(name, known)}"
