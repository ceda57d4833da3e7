"""Practice: group relative policy optimisation (GRPO) on problems whose answers can be checked.

    accelerate launch -m hfllm.stages.grpo recipes/tiny/grpo.yaml

Reads a chat model, problems (`tasks`, or `datasets` with the columns prompt and answer) and rewards by name. Writes a
model folder to `output_dir` (with `use_peft` an adapter folder), with practice.png (accuracy and length) and
completions.md (what it answered). DeepSeekMath, arXiv 2402.03300, section 4; the trainer is TRL's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfllm import practice, processes, recipe
from hfllm.calls import MAX_TOOL_CALLS
from hfllm.data import DatasetMixtureConfig
from hfllm.errors import UserMistake
from hfllm.grpo import batches, picture, problems
from hfllm.grpo.presets import PRESETS as PRESETS
from hfllm.practice import PracticeConfig

if TYPE_CHECKING:
    from datasets import Dataset
    from trl import GRPOConfig, ModelConfig

    from hfllm.grpo.trainer import PracticeTrainer

# where upstream's default is another: with dropout (GPT-2 has it) the ratio of the first step is not 1, and a model
# that learns to call for ever would never end
DEFAULTS = {"disable_dropout": True, "max_tool_calling_iterations": MAX_TOOL_CALLS}
ACCURACY = "accuracy"  # the reward that says whether a problem is solved
SOLVE_RATES = "solve_rates.json"


@dataclass
class GroupConfig(PracticeConfig):
    """What practice in groups has beside the rest: the form of the loss, and which problems are worth it."""

    loss_preset: Literal["grpo", "dr_grpo", "dapo", "gspo"] | None = field(
        default=None, metadata={"help": "A named set of keys of the loss; keys that the recipe writes itself win."}
    )
    curriculum_samples: int | None = field(
        default=None,
        metadata={
            "help": "Before practice, try each problem so often, and keep those that are solved sometimes; "
            "null: keep all."
        },
    )


def main(
    config: GroupConfig, data_args: DatasetMixtureConfig, training_args: GRPOConfig, model_args: ModelConfig
) -> dict[str, Any]:
    """Practise; returns pass@1 and pass@k before and after, mean length, and the final numbers of training."""
    check_curriculum(config, training_args)
    practised = practice.prepare("grpo", config, data_args, training_args, model_args)

    from hfllm import training
    from hfllm.grpo.trainer import PracticeTrainer

    training.prepare(training_args)
    trainer = practice.build(PracticeTrainer, practised, config, training_args, model_args)
    if config.curriculum_samples is not None:
        trainer.train_dataset = sometimes_solved(trainer, config.curriculum_samples)
    numbers = training.train(trainer)
    if training_args.process_index == 0:
        picture.draw(Path(training_args.output_dir))
    return {"problems": len(trainer.train_dataset), **practice.before_and_after(trainer.state.log_history, numbers)}


CHECK_COLUMNS, CHECK = problems.check_columns, practice.mistakes  # asked by `hfllm check`


def check_curriculum(config: GroupConfig, training_args: GRPOConfig) -> None:
    """Raises `UserMistake` when problems cannot be chosen by how often they are solved."""
    if config.curriculum_samples is None:
        return
    if config.curriculum_samples < 2:
        raise UserMistake("curriculum_samples: fewer than 2 tell nothing of a problem; write for instance 4")
    if ACCURACY not in config.rewards:
        raise UserMistake(
            "curriculum_samples: whether a problem is solved is what the reward accuracy says; add it to rewards,\n"
            "  only measured:   accuracy: {weight: 0}"
        )
    batches.check_evaluation(training_args, config.curriculum_samples)


def sometimes_solved(trainer: PracticeTrainer, samples: int) -> Dataset:
    """The problems that are neither always nor never solved: only their groups have a signal (DAPO, 2503.14476, 3.2).

    The rates are kept in solve_rates.json, so that a run that goes on practises on the same problems."""
    file = Path(trainer.args.output_dir, SOLVE_RATES)
    rates = json.loads(file.read_text()) if file.exists() else trainer.solve_rates(samples)
    kept = [number for number, rate in enumerate(rates) if 0 < rate < 1]
    always, never = sum(rate == 1 for rate in rates), sum(rate == 0 for rate in rates)
    counts = f"{len(kept):,} of {len(rates):,} problems kept; {always:,} always solved and {never:,} never"
    if processes.is_first():
        file.with_suffix(".tmp").write_text(json.dumps(rates))
        file.with_suffix(".tmp").replace(file)
    try:
        sizes = batches.Batches.of(len(kept), trainer.args)
    except UserMistake as mistake:
        raise UserMistake(f"curriculum_samples: {counts}.\n{mistake}") from mistake
    if processes.is_first():
        print(f"curriculum: {counts} (of {samples} tries)\n{sizes.summary()}", flush=True)
    return trainer.train_dataset.select(kept)


if __name__ == "__main__":
    recipe.run(main)
