"""What the stages grpo and ppo share: problems, rewards, tools, the checks before a model loads, and the trainer.

    practised = practice.prepare("grpo", config, data_args, training_args, model_args)
    trainer = practice.build(PracticeTrainer, practised, config, training_args, model_args)

Reads `tasks` and `datasets`; prompts are chat messages, or plain texts that the model
goes on with (`continue_text`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfllm import (
    adapters,
    audit,
    calls,
    checkpoints,
    chosen_rewards,
    labels,
    models,
    named,
    processes,
    sandbox,
    tools,
    untrusted,
    watch,
)
from hfllm.errors import UserMistake
from hfllm.grpo import batches, problems
from hfllm.tasks import TaskConfig
from hfllm.watch import WatchConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import GRPOConfig, ModelConfig

    from hfllm.chosen_rewards import Reward
    from hfllm.data import DatasetConfig, DatasetMixtureConfig
    from hfllm.grpo.trainer import PracticeTrainer

ENGINES: dict[str, dict[str, Any]] = {
    "hf": {"use_vllm": False},
    "vllm_colocate": {"use_vllm": True, "vllm_mode": "colocate"},
    "vllm_server": {"use_vllm": True, "vllm_mode": "server"},
}


@dataclass
class PracticeConfig:
    """What to practise on, what is rewarded, with which tools, and what watches over it."""

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
    continue_text: bool = field(
        default=False,
        metadata={"help": "Prompts are beginnings of texts that the model goes on with: no chat template is used."},
    )
    prompt_tokens: int | None = field(
        default=None, metadata={"help": "With continue_text: each prompt is only so many first tokens of its text."}
    )
    engine: Literal["hf", "vllm_colocate", "vllm_server"] = field(
        default="hf", metadata={"help": "What generates: transformers, or vLLM on the same GPUs or as a server."}
    )
    watch: WatchConfig | None = field(
        default=None, metadata={"help": "Stop, hold back or only observe a run that games its reward. {action: stop}"}
    )


@dataclass(frozen=True)
class Practised:
    """What a run practises with, checked and ready."""

    rows: Dataset
    held_out: Dataset | None
    rewards: list[Reward]
    tokenizer: PreTrainedTokenizerBase


def prepare(
    stage: str,
    config: PracticeConfig,
    data_args: DatasetMixtureConfig,
    training_args: GRPOConfig,
    model_args: ModelConfig,
) -> Practised:
    """Everything that can be looked at without loading the model. Raises `UserMistake` for what does not fit."""
    check(stage, config, data_args, training_args, model_args)
    wanted, schemas = chosen_rewards.find(config.rewards), tools.schemas(tools.find(config.tools))
    model_args.model_name_or_path = models.find_model(str(model_args.model_name_or_path))
    adapters.check_targets(model_args)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, revision=model_args.model_revision)
    if not config.continue_text:  # an answer ends with the end of a turn, in TRL's tool loop too
        tokenizer.eos_token = labels.prepare_template(tokenizer, config.chat_template_path, assistant_only=False)
    if schemas:
        calls.prepare_tokenizer(tokenizer, schemas)
    rows, held_out = load(config, data_args, tokenizer)
    problems.check(rows, held_out, wanted, tokenizer, model_args, training_args, schemas)
    if config.audit_rewards:
        audit.refuse(wanted, rows, tokenizer)
    used = [*config.tools, *config.rewards, *(task.name for task in config.tasks)]
    if processes.is_first() and sandbox.is_used(used):
        print(sandbox.summary(), flush=True)
    return Practised(rows, held_out, wanted, tokenizer)


def load(
    config: PracticeConfig, data_args: DatasetMixtureConfig, tokenizer: PreTrainedTokenizerBase
) -> tuple[Dataset, Dataset | None]:
    """The problems to practise on, and the held-out ones."""

    def part(task_configs: list[TaskConfig], configs: list[DatasetConfig]) -> Dataset:
        frame = untrusted.control_tokens(tokenizer)
        rows = problems.load(task_configs, configs, frame, plain=config.continue_text)
        return rows if config.prompt_tokens is None else problems.beginnings(rows, tokenizer, config.prompt_tokens)

    rows = part(config.tasks, data_args.datasets)
    return rows, part(config.eval_tasks, data_args.eval_datasets) if measures(config, data_args) else None


def check(
    stage: str,
    config: PracticeConfig,
    data_args: DatasetMixtureConfig,
    training_args: GRPOConfig,
    model_args: ModelConfig,
) -> None:
    """What can be seen wrong without loading anything."""
    if not model_args.model_name_or_path or not (config.tasks or data_args.datasets):
        raise UserMistake(f"stage {stage}: the recipe needs  model_name_or_path:  and problems:  {EXAMPLES[stage]}")
    if training_args.reward_weights is not None:
        raise UserMistake("reward_weights: write the weight beside its reward:   rewards: {accuracy: {weight: 1.0}}")
    if training_args.use_vllm and find_spec("vllm") is None:
        raise UserMistake(f"engine: {config.engine} needs vLLM, which is not installed here:   pip install vllm")
    if config.continue_text and (config.tasks or config.eval_tasks or config.tools):
        raise UserMistake("continue_text: tasks and tools need a conversation; remove them, or  continue_text")
    if config.prompt_tokens is not None and (config.prompt_tokens < 1 or not config.continue_text):
        raise UserMistake("prompt_tokens: a number above 0, and only with   continue_text: true")
    if training_args.temperature <= 0:
        raise UserMistake("temperature: practice learns from different answers; write a number above 0, such as 1.0")
    if measures(config, data_args):
        batches.check_evaluation(training_args, training_args.num_generations_eval or training_args.num_generations)
    elif training_args.eval_strategy != "no":
        raise UserMistake(
            "eval_strategy: there are no held-out problems; add  eval_tasks:  or  eval_datasets:  or remove it"
        )
    if config.watch is not None:
        watch.check(config.watch, config.rewards, training_args, measured=measures(config, data_args))


EXAMPLES = {"grpo": "tasks: [{name: gsm8k}]", "ppo": "datasets: [{path: mine.jsonl}]  with the column prompt"}


def measures(config: PracticeConfig, data_args: DatasetMixtureConfig) -> bool:
    """Whether there are held-out problems."""
    return bool(config.eval_tasks or data_args.eval_datasets)


def mistakes(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What `hfllm check` asks of a recipe's values: names of tasks, rewards and tools, and what is watched."""
    yield from named.problems(values)
    if not values.get("model_name_or_path"):
        yield "model_name_or_path", "missing: the folder or Hub id of the model that practises"
    if (rewards := values.get("rewards")) and not any(
        (options or {}).get("weight", 1.0) for options in rewards.values()
    ):
        yield "rewards", "none has a weight, so there is nothing to learn from; write  weight: 1.0  to one of them"
    if values.get("watch") is not None:
        yield from watch.mistakes(values)


def build(
    trainer_class: type[PracticeTrainer],
    practised: Practised,
    config: PracticeConfig,
    training_args: GRPOConfig,
    model_args: ModelConfig,
) -> PracticeTrainer:
    """The trainer with our rewards, tools and watch."""
    from transformers import ProgressCallback
    from trl import get_peft_config, get_quantization_config

    from hfllm.grpo.completions import Completions

    set_arguments(training_args, model_args, practised)
    trainer = trainer_class(
        model=models.trained_adapter(model_args, training_args) or model_args.model_name_or_path,
        args=training_args,
        reward_funcs=[chosen_rewards.loaded(reward) for reward in practised.rewards],
        train_dataset=practised.rows,
        eval_dataset=practised.held_out,
        processing_class=practised.tokenizer,
        peft_config=get_peft_config(model_args),
        quantization_config=get_quantization_config(model_args),
        tools=tools.find(config.tools, practised.tokenizer) or None,
    )
    trainer.remove_callback(ProgressCallback)  # solve rates would draw bars of their own
    if practised.held_out is not None:
        trainer.add_callback(Completions(trainer))
    if config.watch is not None:
        trainer.add_callback(watch.callback(trainer, config.watch))
    return trainer


def set_arguments(args: GRPOConfig, model_args: ModelConfig, practised: Practised) -> None:
    """What the trainer is to know of the recipe's other keys."""
    # a run that goes on has its first measurement in the log already
    resumes = checkpoints.last_complete(Path(args.output_dir), args.world_size) is not None
    args.eval_on_start = practised.held_out is not None and not resumes
    args.reward_weights = [reward.weight for reward in practised.rewards]
    args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(args.model_init_kwargs or {}),
        "use_safetensors": True,
    }


def before_and_after(log_history: list[dict[str, Any]], numbers: dict[str, Any]) -> dict[str, Any]:
    """What was held out first: pass@k or reward, and mean length (tokens), before any step and after the last.

    Without held-out problems the mean reward and length of the first and the last logged step."""
    first = next((entry for entry in log_history if "eval_completions/mean_length" in entry), {})
    solved = [key for key in first if "pass@" in key]
    shown = (solved or [key for key in first if key == "eval_reward"]) + ["eval_completions/mean_length"] * bool(first)
    pairs: dict[str, Any] = {}
    for key in shown:
        pairs |= {key.replace("eval", "before", 1): first[key], key: numbers[key]}
    steps = [entry for entry in log_history if "reward" in entry]
    if not pairs and steps:
        for key in ("reward", "completions/mean_length"):
            pairs |= {f"first_{key}": steps[0][key], f"last_{key}": steps[-1][key]}
    return pairs | telling(numbers)


def telling(numbers: dict[str, Any]) -> dict[str, Any]:
    """Without the further measures of an evaluation, and the loss, which is about 0 at every step of practice."""
    return {key: value for key, value in numbers.items() if is_telling(key) and not key.endswith("loss")}


def is_telling(key: str) -> bool:
    return not key.startswith("eval_") or "pass@" in key or key.endswith(("/mean_length", "/mean", "objective/kl"))
