"""Practice: group relative policy optimisation (GRPO) on problems whose answers can be checked.

    accelerate launch -m hfllm.stages.grpo recipes/tiny/grpo.yaml

Reads a chat model, problems (`tasks`, or `datasets` with the columns prompt and answer) and rewards by name. Writes a
model folder to `output_dir` (with `use_peft` an adapter folder), with practice.png (accuracy and length) and
completions.md (what it answered). DeepSeekMath, arXiv 2402.03300, section 4; the trainer is TRL's."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfllm import (
    audit,
    calls,
    checkpoints,
    chosen_rewards,
    labels,
    models,
    named,
    processes,
    recipe,
    sandbox,
    tools,
    untrusted,
)
from hfllm.calls import MAX_TOOL_CALLS
from hfllm.data import DatasetMixtureConfig
from hfllm.errors import UserMistake
from hfllm.grpo import batches, picture, problems
from hfllm.grpo.presets import PRESETS as PRESETS
from hfllm.tasks import TaskConfig

if TYPE_CHECKING:
    from datasets import Dataset
    from peft import PeftModel
    from transformers import PreTrainedTokenizerBase
    from trl import GRPOConfig, ModelConfig

    from hfllm.chosen_rewards import Reward
    from hfllm.grpo.trainer import PracticeTrainer

# where upstream's default is another: with dropout (GPT-2 has it) the ratio of the first step is not 1, and a model
# that learns to call for ever would never end
DEFAULTS = {"disable_dropout": True, "max_tool_calling_iterations": MAX_TOOL_CALLS}
ACCURACY = "accuracy"  # the reward that says whether a problem is solved
SOLVE_RATES = "solve_rates.json"


@dataclass
class PracticeConfig:
    """What to practise on, what is rewarded, and with which tools."""

    tasks: list[TaskConfig] = field(default_factory=list, metadata={"help": "The tasks to practise on."})
    eval_tasks: list[TaskConfig] = field(
        default_factory=list, metadata={"help": "Held-out problems: measured before, during and after practice."}
    )
    rewards: dict[str, dict[str, Any] | None] = field(
        default_factory=lambda: {"accuracy": None},
        metadata={
            "help": "Rewards by name with their options and `weight` (default 1; 0 only measures): of "
            "hfllm/rewards.py, mine.py:f, or the folder or Hub id of a reward model. Default: accuracy."
        },
    )
    audit_rewards: bool = field(
        default=True, metadata={"help": "Refuse to start when a reward pays for empty or looping text."}
    )
    tools: dict[str, dict[str, Any] | None] = field(
        default_factory=dict,
        metadata={"help": "Tools by name with their options: of hfllm/tools, or mine.py:f. {calculator: {}}"},
    )
    chat_template_path: str | None = field(
        default=None,
        metadata={"help": "A chat template (.jinja) for a base model that has none: hfllm/templates/chatml.jinja"},
    )
    loss_preset: Literal["grpo", "dr_grpo", "dapo", "gspo"] | None = field(
        default=None, metadata={"help": "A named set of keys of the loss; keys that the recipe writes itself win."}
    )
    engine: Literal["hf", "vllm_colocate", "vllm_server"] = field(
        default="hf", metadata={"help": "What generates: transformers, or vLLM on the same GPUs or as a server."}
    )
    curriculum_samples: int | None = field(
        default=None,
        metadata={
            "help": "Before practice, try each problem so often, and keep those that are solved sometimes; "
            "null: keep all."
        },
    )


def main(
    config: PracticeConfig, data_args: DatasetMixtureConfig, training_args: GRPOConfig, model_args: ModelConfig
) -> dict[str, Any]:
    """Practise; returns pass@1 and pass@k before and after, mean length, and the final numbers of training."""
    check(config, data_args, training_args, model_args)
    wanted, schemas = chosen_rewards.find(config.rewards), tools.schemas(tools.find(config.tools))
    model_args.model_name_or_path = models.find_model(str(model_args.model_name_or_path))
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, revision=model_args.model_revision)
    # an answer ends with the end of a turn, in TRL's tool loop too
    tokenizer.eos_token = labels.prepare_template(tokenizer, config.chat_template_path, assistant_only=False)
    if schemas:
        calls.prepare_tokenizer(tokenizer, schemas)
    frame = untrusted.control_tokens(tokenizer)
    rows = problems.load(config.tasks, data_args.datasets, frame)
    held_out = problems.load(config.eval_tasks, data_args.eval_datasets, frame) if measures(config, data_args) else None
    problems.check(rows, held_out, wanted, tokenizer, model_args, training_args, schemas)
    if config.audit_rewards:
        audit.refuse(wanted, rows, tokenizer)
    if processes.is_first() and sandbox.is_used(
        [*config.tools, *config.rewards, *(task.name for task in config.tasks)]
    ):
        print(sandbox.summary(), flush=True)

    from hfllm import training

    training.prepare(training_args)
    trainer = build_trainer(config, model_args, training_args, tokenizer, (rows, held_out), wanted)
    if config.curriculum_samples is not None:
        trainer.train_dataset = sometimes_solved(trainer, config.curriculum_samples)
    numbers = training.train(trainer)
    if training_args.process_index == 0:
        picture.draw(Path(training_args.output_dir))
    return {"problems": len(trainer.train_dataset), **before_and_after(trainer.state.log_history, telling(numbers))}


def check(
    config: PracticeConfig, data_args: DatasetMixtureConfig, training_args: GRPOConfig, model_args: ModelConfig
) -> None:
    """What can be seen wrong without loading anything."""
    if not model_args.model_name_or_path or not (config.tasks or data_args.datasets):
        raise UserMistake("stage grpo: the recipe needs  model_name_or_path:  and problems:  tasks: [{name: gsm8k}]")
    if training_args.reward_weights is not None:
        raise UserMistake("reward_weights: write the weight beside its reward:   rewards: {accuracy: {weight: 1.0}}")
    if training_args.use_vllm and find_spec("vllm") is None:
        raise UserMistake(f"engine: {config.engine} needs vLLM, which is not installed here:   pip install vllm")
    if config.curriculum_samples is not None and config.curriculum_samples < 2:
        raise UserMistake("curriculum_samples: fewer than 2 tell nothing of a problem; write for instance 4")
    if training_args.temperature <= 0:
        raise UserMistake("temperature: practice learns from different answers; write a number above 0, such as 1.0")
    if training_args.eval_strategy != "no" and not measures(config, data_args):
        raise UserMistake(
            "eval_strategy: there are no held-out problems; add  eval_tasks:  or  eval_datasets:  or remove it"
        )
    if config.curriculum_samples is not None and ACCURACY not in config.rewards:
        raise UserMistake(
            "curriculum_samples: whether a problem is solved is what the reward accuracy says; add it to rewards,\n"
            "  only measured:   accuracy: {weight: 0}"
        )
    if measures(config, data_args):
        batches.check_evaluation(training_args, training_args.num_generations_eval or training_args.num_generations)
    if config.curriculum_samples is not None:
        batches.check_evaluation(training_args, config.curriculum_samples)


def measures(config: PracticeConfig, data_args: DatasetMixtureConfig) -> bool:
    """Whether there are held-out problems."""
    return bool(config.eval_tasks or data_args.eval_datasets)


CHECK_COLUMNS, CHECK = problems.check_columns, named.problems  # asked by `hfllm check`


def build_trainer(
    config: PracticeConfig,
    model_args: ModelConfig,
    training_args: GRPOConfig,
    tokenizer: PreTrainedTokenizerBase,
    rows: tuple[Dataset, Dataset | None],
    wanted: list[Reward],
) -> PracticeTrainer:
    """The trainer with our rewards and tools; `rows` are the problems to practise on and the held-out ones."""
    from transformers import ProgressCallback
    from trl import get_peft_config, get_quantization_config

    from hfllm.grpo.completions import Completions
    from hfllm.grpo.trainer import PracticeTrainer

    set_arguments(training_args, model_args, wanted, measured=rows[1] is not None)
    trainer = PracticeTrainer(
        model=trained_adapter(model_args, training_args) or model_args.model_name_or_path,
        args=training_args,
        reward_funcs=[chosen_rewards.loaded(reward) for reward in wanted],
        train_dataset=rows[0],
        eval_dataset=rows[1],
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
        quantization_config=get_quantization_config(model_args),
        tools=tools.find(config.tools, tokenizer) or None,
    )
    trainer.remove_callback(ProgressCallback)  # solve rates would draw bars of their own
    if rows[1] is not None:
        trainer.add_callback(Completions(trainer))
    return trainer


def set_arguments(args: GRPOConfig, model_args: ModelConfig, wanted: list[Reward], *, measured: bool) -> None:
    """What the trainer is to know of the recipe's other keys; `measured`: there are held-out problems."""
    # a run that goes on has its first measurement in the log already
    resumes = checkpoints.last_complete(Path(args.output_dir), args.world_size) is not None
    args.eval_on_start = measured and not resumes
    args.reward_weights = [reward.weight for reward in wanted]
    args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
        "use_safetensors": True,
    }


def trained_adapter(model_args: ModelConfig, args: GRPOConfig) -> PeftModel | None:
    """The model of an adapter folder, such as sft writes with `use_peft`: practice goes on with the adapter."""
    if models.adapter_base(str(model_args.model_name_or_path)) is None:
        return None
    if model_args.use_peft:
        raise UserMistake(f"use_peft: {model_args.model_name_or_path} is an adapter already, and goes on; remove it")
    from peft import AutoPeftModelForCausalLM

    options, args.model_init_kwargs = args.model_init_kwargs or {}, None  # they are for a model that TRL loads
    options = {key: value for key, value in options.items() if key != "revision"}
    return AutoPeftModelForCausalLM.from_pretrained(model_args.model_name_or_path, is_trainable=True, **options)


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


def before_and_after(log_history: list[dict[str, Any]], numbers: dict[str, Any]) -> dict[str, Any]:
    """What was held out first: pass@k and mean length (tokens) before any step and after the last; then the rest.

    Without held-out problems the mean reward and length of the first and the last logged step."""
    first = next((entry for entry in log_history if "eval_pass@1" in entry), {})
    shown = [key for key in first if "pass@" in key or key.endswith("/mean_length")]
    pairs: dict[str, Any] = {}
    for key in shown:
        pairs |= {key.replace("eval", "before", 1): first[key], key: numbers[key]}
    steps = [entry for entry in log_history if "reward" in entry]
    if not pairs and steps:
        for key in ("reward", "completions/mean_length"):
            pairs |= {f"first_{key}": steps[0][key], f"last_{key}": steps[-1][key]}
    return pairs | numbers


def telling(numbers: dict[str, Any]) -> dict[str, Any]:
    """Without the further measures of an evaluation, and the loss, which is about 0 at every step of practice."""
    return {key: value for key, value in numbers.items() if is_telling(key) and not key.endswith("loss")}


def is_telling(key: str) -> bool:
    return not key.startswith("eval_") or "pass@" in key or key.endswith(("/mean_length", "/mean"))


if __name__ == "__main__":
    recipe.run(main)
