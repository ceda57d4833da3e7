"""What stands around every Trainer: cut off anywhere and started again, a run ends with the same weights."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    default_data_collator,
    set_seed,
)

from hfllm import checkpoints, training
from hfllm.errors import UserMistake
from hfllm.pretraining import optimizer
from hfllm.pretraining.packing import TokenBlocks
from tests import stand_in
from tests.test_shards import write

STEPS = 10


class Interrupt(TrainerCallback):
    """Sends this process a signal in the middle of training, as Ctrl-C and Slurm do."""

    def __init__(self, step: int, number: int) -> None:
        self.step, self.number = step, number

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            os.kill(os.getpid(), self.number)


class InterruptAtTheEnd(TrainerCallback):
    """Ctrl-C while the last things are done."""

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)


class Crash(TrainerCallback):
    """Ends training without saving, like a kill."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == self.step:
            raise RuntimeError("killed")


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return stand_in.make(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> TokenBlocks:
    ids = torch.randint(0, 300, (27 * 16,), generator=torch.Generator().manual_seed(0)).tolist()
    return TokenBlocks(write(tmp_path_factory.mktemp("shard") / "train.ds", [ids]), "concat", 16)


def make_trainer(model_folder: Path, rows: TokenBlocks, output_dir: Path, muon: bool = True, **changes: Any) -> Trainer:
    """10 steps of 4 rows: more than one epoch over 27 rows, a checkpoint every 4 steps."""
    args = TrainingArguments(
        str(output_dir),
        **{"max_steps": STEPS, "save_steps": 4, "logging_steps": 2, "learning_rate": 1e-2, **changes},
        per_device_train_batch_size=4,
        use_cpu=True,
        dataloader_pin_memory=False,
    )
    set_seed(0)
    return Trainer(
        model=AutoModelForCausalLM.from_pretrained(model_folder),
        args=args,
        train_dataset=rows,
        data_collator=default_data_collator,
        optimizer_cls_and_kwargs=(optimizer.muon_factory, {"args": args, "muon_learning_rate": 0.01}) if muon else None,
    )


def weights(output_dir: Path) -> list[torch.Tensor]:
    return list(AutoModelForCausalLM.from_pretrained(output_dir).parameters())


def assert_same_run(one: Path, two: Path) -> None:
    """Equal weights, bit by bit, and an equal log of losses."""
    for first, second in zip(weights(one), weights(two), strict=True):
        assert torch.equal(first, second)
    assert losses(one) == losses(two)


def losses(output_dir: Path) -> list[tuple[int, float]]:
    log = [json.loads(line) for line in (output_dir / "log.jsonl").read_text().splitlines()]
    return [(entry["step"], entry["loss"]) for entry in log if "loss" in entry]


@pytest.mark.parametrize("muon", [True, False], ids=["muon", "adamw"])
def test_killed_and_started_again_ends_the_same(
    model_folder: Path, rows: TokenBlocks, tmp_path: Path, muon: bool
) -> None:
    training.train(make_trainer(model_folder, rows, tmp_path / "whole", muon))
    cut = make_trainer(model_folder, rows, tmp_path / "cut", muon)
    cut.add_callback(Crash(step=7))
    with pytest.raises(RuntimeError, match="killed"):
        training.train(cut)
    numbers = training.train(make_trainer(model_folder, rows, tmp_path / "cut", muon))
    assert_same_run(tmp_path / "whole", tmp_path / "cut")
    assert numbers["steps"] == STEPS


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_first(
    model_folder: Path, rows: TokenBlocks, tmp_path: Path, number: int, capsys: pytest.CaptureFixture[str]
) -> None:
    training.train(make_trainer(model_folder, rows, tmp_path / "whole"))
    before = signal.getsignal(number)
    cut = make_trainer(model_folder, rows, tmp_path / "cut")
    cut.add_callback(Interrupt(step=5, number=number))
    with pytest.raises(KeyboardInterrupt):
        training.train(cut)
    assert checkpoints.last_complete(tmp_path / "cut") == tmp_path / "cut" / "checkpoint-6"
    assert "stopped at step 6" in capsys.readouterr().out
    assert signal.getsignal(number) == before
    training.train(make_trainer(model_folder, rows, tmp_path / "cut"))
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_a_torn_checkpoint_is_passed_over_aloud(
    model_folder: Path, rows: TokenBlocks, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training.train(make_trainer(model_folder, rows, tmp_path / "whole"))
    cut = make_trainer(model_folder, rows, tmp_path / "cut")
    cut.add_callback(Crash(step=9))
    with pytest.raises(RuntimeError, match="killed"):
        training.train(cut)
    state_file = tmp_path / "cut/checkpoint-8/trainer_state.json"
    state_file.write_text(state_file.read_text()[:-20])
    training.train(make_trainer(model_folder, rows, tmp_path / "cut"))
    said = capsys.readouterr().out
    assert "checkpoint-8: a run cannot go on from it, because it was cut off while it was written" in said
    assert "going on from" in said
    assert "checkpoint-4" in said
    assert_same_run(tmp_path / "whole", tmp_path / "cut")


def test_killed_after_the_last_step_takes_no_further_step(
    model_folder: Path, rows: TokenBlocks, tmp_path: Path
) -> None:
    first = training.train(make_trainer(model_folder, rows, tmp_path / "run"))
    before, log = weights(tmp_path / "run"), losses(tmp_path / "run")
    (tmp_path / "run/model.safetensors").unlink()
    again = training.train(make_trainer(model_folder, rows, tmp_path / "run"))
    assert all(torch.equal(one, two) for one, two in zip(before, weights(tmp_path / "run"), strict=True))
    assert again["steps"] == first["steps"] == STEPS
    assert losses(tmp_path / "run") == log


def test_checkpoints_are_complete_when_all_processes_wrote_their_part(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint-4"
    folder.mkdir()
    assert checkpoints.last_complete(tmp_path) is None
    (folder / "trainer_state.json").write_text('{"global_step": 4, "max_steps": 8}')
    (folder / "rng_state_0.pth").touch()
    assert checkpoints.last_complete(tmp_path, processes=2) is None
    (folder / "rng_state_1.pth").touch()
    assert checkpoints.last_complete(tmp_path, processes=2) == folder
    assert not checkpoints.is_finished(folder)


def test_checkpoints_are_sorted_by_number(tmp_path: Path) -> None:
    for name in ("checkpoint-10", "checkpoint-9", "checkpoint-old"):
        (tmp_path / name).mkdir()
    assert [folder.name for folder in checkpoints.checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10"]


def test_processes_that_would_train_alone_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = TrainingArguments(str(tmp_path), use_cpu=True)
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(UserMistake, match="2 processes were launched"):
        training.prepare(args, 1)


def test_a_signal_between_two_agreements_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 3 is asked, step 10 is where all processes ask each other."""
    monkeypatch.setattr(training, "any_process", lambda asked, device: asked)
    stop, args = training.StopOnSignal(), SimpleNamespace(world_size=2, device="cpu")
    stop.asked = True
    for step, stops in ((3, False), (9, False), (10, True)):
        control = TrainerControl()
        stop.on_step_end(args, TrainerState(global_step=step), control)
        assert control.should_training_stop == control.should_save == stop.stopped == stops


def test_a_signal_after_the_last_step_changes_nothing(model_folder: Path, rows: TokenBlocks, tmp_path: Path) -> None:
    trainer = make_trainer(model_folder, rows, tmp_path)
    trainer.add_callback(InterruptAtTheEnd())
    assert training.train(trainer)["steps"] == STEPS
    assert (tmp_path / "model.safetensors").exists()


@pytest.mark.parametrize(("names", "processes"), [(["rng_state.pth"], 2), (["rng_state_0.pth", "rng_state_1.pth"], 1)])
def test_checkpoints_of_another_launch_are_refused_and_kept(tmp_path: Path, names: list[str], processes: int) -> None:
    folder = tmp_path / "checkpoint-4"
    folder.mkdir()
    (folder / "trainer_state.json").write_text('{"global_step": 4, "max_steps": 8}')
    for name in names:
        (folder / name).touch()
    with pytest.raises(UserMistake, match=f"this launch has {processes}"):
        checkpoints.refuse_other_launch(tmp_path, processes)
    checkpoints.refuse_other_launch(tmp_path, len(names))
