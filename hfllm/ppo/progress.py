"""Where a PPO run stands between two optimizer steps: what a checkpoint holds beside weights and optimizer.

ppo_state.json has the KL coefficient, the critic's offset, the count of batches and what is measured but not logged
yet. A checkpoint that falls between two generations' ends also holds the completions being learned from, one file for
each process, so that the resumed run is the uninterrupted one. With images they are drawn anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors.torch import load_file, save_file

from hfllm.ppo.config import batches_of_a_generation
from hfllm.ppo.minibatches import Batch, is_plain

if TYPE_CHECKING:
    from hfllm.ppo.trainer import PPOTrainer

STATE = "ppo_state.json"


def save(trainer: PPOTrainer, folder: Path) -> None:
    """Every process writes the completions that it holds; the first one the rest."""
    folder.mkdir(parents=True, exist_ok=True)  # whichever process comes first
    batches = trainer._buffered_inputs
    if batches is not None and trainer._step % batches_of_a_generation(trainer.args) and all(map(is_plain, batches)):
        save_file(
            {
                f"{number}.{name}": value.clone()  # the batches are views of one tensor
                for number, batch in enumerate(batches)
                for name, value in batch.items()
            },
            _completions(trainer, folder),
        )
    if trainer.args.should_save:
        state = {
            "kl_coef": trainer.kl_coef,
            "critic_offset": trainer.critic.offset.item(),
            "step": trainer._step,
            "generation": _layout(trainer),
            "metrics": trainer._metrics["train"],
        }
        (folder / STATE).write_text(json.dumps(state))


def load(trainer: PPOTrainer, folder: Path) -> None:
    """Set the trainer to where the checkpoint was written."""
    state = json.loads((folder / STATE).read_text())
    if (file := _completions(trainer, folder)).is_file() and state["generation"] != (now := _layout(trainer)):
        raise ValueError(
            f"{folder} was written amid a generation of {state['generation']}, and this run has {now}.\n"
            "  to mend it: set them as they were, or begin anew with  --fresh"
        )
    trainer.kl_coef, trainer._step = state["kl_coef"], state["step"]
    load_offset(trainer, folder)
    trainer._metrics["train"].update(state["metrics"])
    if file.is_file():
        batches: list[Batch] = [{} for _ in range(trainer.args.steps_per_generation)]
        for key, value in load_file(file, device=str(trainer.accelerator.device)).items():
            number, _, name = key.partition(".")
            batches[int(number)][name] = value
        trainer._buffered_inputs = batches


def load_offset(trainer: PPOTrainer, folder: Path) -> None:
    """Of the critic; it is in critic.safetensors, too, which a checkpoint of sharded weights may lack."""
    trainer.critic.offset.fill_(json.loads((folder / STATE).read_text())["critic_offset"])


def _layout(trainer: PPOTrainer) -> dict[str, int]:
    """How the completions of a generation lie in the files of the processes."""
    return {
        "processes": trainer.accelerator.num_processes,
        "num_mini_batches": trainer.args.num_mini_batches,
        "gradient_accumulation_steps": trainer.args.gradient_accumulation_steps,
        "per_device_train_batch_size": trainer.args.per_device_train_batch_size,
    }


def _completions(trainer: PPOTrainer, folder: Path) -> Path:
    return folder / f"ppo_completions_{trainer.args.process_index}.safetensors"
