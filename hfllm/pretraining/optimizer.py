"""Muon for the matrices inside the network, AdamW for the rest: two optimizers that a Trainer sees as one.

Muon orthogonalises the momentum of a matrix, which makes sense where a matrix maps features to features; embeddings,
the output head, norms and biases stay with AdamW (Keller Jordan, https://kellerjordan.github.io/posts/muon/). Also: the
decay phase of the warmup-stable-decay schedule from a share of the steps (MiniCPM, arXiv 2404.06395, section 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel, TrainingArguments

MUON_MOMENTUM = 0.95  # Keller Jordan's default, also torch.optim.Muon's


class MuonAdamW(torch.optim.Optimizer):
    """`torch.optim.Muon` and `torch.optim.AdamW` behind one interface.

    Both work on the parameter groups and the state of this object itself, so schedulers, `state_dict` and
    `load_state_dict` reach everything: a resumed run continues bit by bit."""

    def __init__(self, muon_groups: list[dict[str, Any]], adamw_groups: list[dict[str, Any]]) -> None:
        self.muon = torch.optim.Muon(muon_groups, momentum=MUON_MOMENTUM)
        self.adamw = torch.optim.AdamW(adamw_groups, fused=True)
        for optimizer, name in ((self.muon, "muon"), (self.adamw, "adamw")):
            for group in optimizer.param_groups:
                group["optimizer"] = name
        super().__init__([*self.muon.param_groups, *self.adamw.param_groups], defaults={})
        self._share_state()

    def _share_state(self) -> None:
        self.muon.param_groups = [group for group in self.param_groups if group["optimizer"] == "muon"]
        self.adamw.param_groups = [group for group in self.param_groups if group["optimizer"] == "adamw"]
        self.muon.state = self.adamw.state = self.state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # `load_state_dict` ends here and has put new groups and a new state in place
        self._share_state()

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.muon.step()
        self.adamw.step()
        return loss


def build_muon(model: PreTrainedModel, args: TrainingArguments, muon_learning_rate: float) -> MuonAdamW:
    """Muon at `muon_learning_rate` on the hidden matrices, AdamW at `args.learning_rate` on everything else.

    Weight decay falls on matrices and embeddings, not on norms and biases; betas and epsilon are `adam_*`."""
    hidden, others, undecayed = split_parameters(model)
    muon_groups = [{"params": hidden, "lr": muon_learning_rate, "weight_decay": args.weight_decay}]
    common = {"lr": args.learning_rate, "betas": (args.adam_beta1, args.adam_beta2), "eps": args.adam_epsilon}
    adamw_groups = [
        {"params": others, "weight_decay": args.weight_decay, **common},
        {"params": undecayed, "weight_decay": 0.0, **common},
    ]
    return MuonAdamW(muon_groups, [group for group in adamw_groups if group["params"]])


def muon_factory() -> Callable[..., MuonAdamW]:
    """For `Trainer(optimizer_cls_and_kwargs=(muon_factory, ...))`, which calls the factory and then what it returns."""
    return build_muon


def split_parameters(model: PreTrainedModel) -> tuple[list[nn.Parameter], list[nn.Parameter], list[nn.Parameter]]:
    """Hidden matrices; embeddings and output head; vectors (norms, biases). A tied head is listed once."""
    hidden: list[nn.Parameter] = []
    others: list[nn.Parameter] = []
    undecayed: list[nn.Parameter] = []
    edges = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    head = model.get_output_embeddings()
    if head is not None:
        edges.add(id(head.weight))
    for parameter in model.parameters():
        if parameter.requires_grad:
            group = undecayed if parameter.ndim < 2 else others if id(parameter) in edges else hidden
            group.append(parameter)
    return hidden, others, undecayed


def wsd_kwargs(scheduler_kwargs: dict[str, Any] | None, decay_share: float, steps: int) -> dict[str, Any]:
    """`lr_scheduler_kwargs` with `num_decay_steps` filled in: 0.2 of 100 steps -> 20. What the recipe gives wins."""
    return {"num_decay_steps": max(1, round(decay_share * steps)), **(scheduler_kwargs or {})}
