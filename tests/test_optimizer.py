"""Muon and AdamW as one optimizer: who trains what, and that a saved state continues bit by bit."""

from __future__ import annotations

import copy
import io
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, TrainingArguments

from hfllm.pretraining import optimizer
from tests import stand_in


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> PreTrainedModel:
    return AutoModelForCausalLM.from_pretrained(stand_in.make(tmp_path_factory.mktemp("model")))


def arguments(folder: Path, **changes: Any) -> TrainingArguments:
    return TrainingArguments(str(folder), use_cpu=True, learning_rate=1e-3, weight_decay=0.1, **changes)


def steps(model: PreTrainedModel, both: torch.optim.Optimizer, count: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for _ in range(count):
        batch = torch.randint(0, 100, (2, 16), generator=generator)
        model(input_ids=batch, labels=batch).loss.backward()
        both.step()
        both.zero_grad()


def test_muon_takes_the_hidden_matrices_and_nothing_else(model: PreTrainedModel) -> None:
    hidden, others, undecayed = optimizer.split_parameters(model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert all("proj" in names[id(parameter)] for parameter in hidden)
    assert [names[id(parameter)] for parameter in others] == ["model.embed_tokens.weight"]  # the head is tied to it
    assert all("norm" in names[id(parameter)] for parameter in undecayed)
    assert len(hidden) + len(others) + len(undecayed) == len(list(model.parameters()))


def test_both_parts_do_what_they_do_alone(model: PreTrainedModel, tmp_path: Path) -> None:
    together, apart = copy.deepcopy(model), copy.deepcopy(model)
    args = arguments(tmp_path)
    steps(together, optimizer.build_muon(together, args, 0.01), 3, seed=0)
    hidden, others, undecayed = optimizer.split_parameters(apart)
    muon = torch.optim.Muon(hidden, lr=0.01, weight_decay=0.1)
    adamw = torch.optim.AdamW(
        [{"params": others, "weight_decay": 0.1}, {"params": undecayed, "weight_decay": 0.0}], lr=1e-3, fused=True
    )

    class Pair:
        def step(self) -> None:
            muon.step(), adamw.step()

        def zero_grad(self) -> None:
            muon.zero_grad(), adamw.zero_grad()

    steps(apart, Pair(), 3, seed=0)  # type: ignore[arg-type]
    for one, two in zip(together.parameters(), apart.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_saved_state_continues_bit_by_bit(model: PreTrainedModel, tmp_path: Path) -> None:
    whole = copy.deepcopy(model)
    both = optimizer.build_muon(whole, arguments(tmp_path), 0.01)
    steps(whole, both, 3, seed=0)
    file = io.BytesIO()
    torch.save(both.state_dict(), file)
    resumed = copy.deepcopy(whole)
    steps(whole, both, 3, seed=1)

    file.seek(0)
    other = optimizer.build_muon(resumed, arguments(tmp_path), 0.5)  # the loaded state brings its own learning rates
    other.load_state_dict(torch.load(file, weights_only=True))
    steps(resumed, other, 3, seed=1)
    for one, two in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, two)


def test_a_schedule_scales_both_learning_rates(model: PreTrainedModel, tmp_path: Path) -> None:
    both = optimizer.build_muon(copy.deepcopy(model), arguments(tmp_path), 0.01)
    torch.optim.lr_scheduler.LambdaLR(both, lambda step: 0.5)
    assert both.muon.param_groups[0]["lr"] == pytest.approx(0.005)
    assert both.adamw.param_groups[0]["lr"] == pytest.approx(0.0005)


def test_decay_steps_come_from_the_share_unless_the_recipe_gives_them() -> None:
    assert optimizer.wsd_kwargs(None, 0.2, 100) == {"num_decay_steps": 20}
    assert optimizer.wsd_kwargs({"min_lr_ratio": 0.1}, 0.001, 100) == {"num_decay_steps": 1, "min_lr_ratio": 0.1}
    assert optimizer.wsd_kwargs({"num_decay_steps": 7}, 0.2, 100) == {"num_decay_steps": 7}
