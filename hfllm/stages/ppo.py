"""RLHF: proximal policy optimisation (PPO) with a critic, against reward models and functions, under a watch.

    accelerate launch -m hfllm.stages.ppo recipes/tiny/ppo.yaml

Reads a chat model (or a base model, which goes on with plain prompts), prompts (`datasets` with the column prompt, or
`tasks`) and rewards by name, reward models among them. Writes a model folder to `output_dir` (with `use_peft` an
adapter folder), the critic beside it (critic.safetensors), practice.png and completions.md; with `watch:` also
watch.png, watch.json and adversarial.jsonl. PPO: arXiv 1707.06347; as used for language models: 2203.02155, 3.5."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import practice, recipe
from hfllm.calls import MAX_TOOL_CALLS
from hfllm.data import DatasetMixtureConfig
from hfllm.grpo import picture, problems
from hfllm.practice import PracticeConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trl import ModelConfig

    from hfllm.ppo import PPOConfig

# where upstream's default is another: a model that learns to call for ever would never end
DEFAULTS = {
    "disable_dropout": True,
    "max_tool_calling_iterations": MAX_TOOL_CALLS,
    "per_device_eval_batch_size": 16,  # whole groups of the 16 answers that a watch draws of each prompt at first
}
PRESETS = {"engine": practice.ENGINES}


def main(
    config: PracticeConfig, data_args: DatasetMixtureConfig, training_args: PPOConfig, model_args: ModelConfig
) -> dict[str, Any]:
    """Train the policy; returns mean reward and length before and after, and the final numbers of training."""
    practised = practice.prepare("ppo", config, data_args, training_args, model_args)

    from hfllm import training
    from hfllm.ppo import PPOTrainer

    training.prepare(training_args)
    trainer = practice.build(PPOTrainer, practised, config, training_args, model_args)
    numbers = training.train(trainer)
    if training_args.process_index == 0:
        picture.draw(Path(training_args.output_dir))
    return {"prompts": len(trainer.train_dataset), **practice.before_and_after(trainer.state.log_history, numbers)}


def mistakes(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """(key, message) for what `hfllm check` finds in a recipe's values before the trainer's own check would."""
    yield from practice.mistakes(values)
    if values.get("beta"):
        yield "beta", "the KL penalty of PPO is part of the reward; write  kl_coef"
    if values.get("kl_target") is not None and values.get("kl_coef") == 0:
        yield "kl_target", "a kl_coef of 0 stays 0 whatever it is multiplied with; write  kl_coef: 0.05"


CHECK_COLUMNS, CHECK = problems.check_columns, mistakes  # asked by `hfllm check`


if __name__ == "__main__":
    recipe.run(main)
