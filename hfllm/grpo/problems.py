"""Which problems does a recipe mean, and do they fit its rewards, its batches and the model's context?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hfllm import chosen_rewards, data, processes, tasks
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.grpo import batches
from hfllm.models import adapter_base
from hfllm.tasks import TaskConfig
from hfllm.untrusted import neutral_message, neutralise

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import GRPOConfig, ModelConfig

    from hfllm.chosen_rewards import Reward


def load(
    task_configs: list[TaskConfig],
    configs: list[DatasetConfig],
    special_tokens: Sequence[str] = (),
    *,
    plain: bool = False,
) -> Dataset:
    """All problems in one data set, numbered in the column `problem`.

    `special_tokens` (`untrusted.control_tokens`) are neutralised in every prompt; `plain` keeps prompts that are texts
    as they are, for a base model to go on with."""
    from datasets import concatenate_datasets

    parts = [tasks.load(config) for config in task_configs] + [own(config, plain=plain) for config in configs]
    rows = concatenate_datasets([part.remove_columns(_numbered(part)) for part in parts])
    if special_tokens:
        rows = rows.map(lambda row: {"prompt": _neutral(row["prompt"], special_tokens)})
    return rows.add_column("problem", list(range(len(rows))))


def beginnings(rows: Dataset, tokenizer: PreTrainedTokenizerBase, tokens: int) -> Dataset:
    """Every prompt cut to its first `tokens` tokens; shorter ones are left out."""
    ids = tokenizer(rows["prompt"][:], add_special_tokens=False)["input_ids"]
    kept = [number for number, row in enumerate(ids) if len(row) >= tokens]
    if not kept:
        raise UserMistake(f"prompt_tokens: no text has {tokens} tokens")
    prompts = tokenizer.batch_decode([ids[number][:tokens] for number in kept])
    cut = rows.select(kept).remove_columns(["prompt", "problem"])
    return cut.add_column("prompt", prompts).add_column("problem", list(range(len(kept))))


def _neutral(prompt: str | list[dict[str, Any]], special_tokens: Sequence[str]) -> str | list[dict[str, Any]]:
    if isinstance(prompt, str):
        return neutralise(prompt, special_tokens)
    return [neutral_message(message, special_tokens) for message in prompt]


def own(config: DatasetConfig, *, plain: bool = False) -> Dataset:
    """A data set of the user: a prompt that is a text becomes a message unless `plain`, a number as answer a text.

    Its column `task` is left out: what a data set says must not choose the code that judges it."""
    dataset = data.load(config)
    check_columns(dataset.column_names, config.place)
    dataset = dataset.remove_columns([name for name in ("task",) if name in dataset.column_names])
    return tasks.as_problems(dataset, config.place, plain=plain)


def _numbered(dataset: Dataset) -> list[str]:
    """MATH calls its questions `problem`: the column is ours here."""
    return [name for name in ("problem",) if name in dataset.column_names]


def check_columns(columns: list[str], place: str) -> None:
    """Raises `UserMistake` when there is no column `prompt`."""
    if "prompt" not in columns:
        raise UserMistake(
            f"{place} has the columns {', '.join(columns)}; this stage reads the column prompt, "
            "and most rewards answer.\n"
            f"  to mend it, rename columns in the recipe:   columns: {{{columns[0]}: prompt}}"
        )


def check(
    rows: Dataset,
    held_out: Dataset | None,
    wanted: list[Reward],
    tokenizer: PreTrainedTokenizerBase,
    model_args: ModelConfig,
    training_args: GRPOConfig,
    schemas: list[dict[str, Any]],
) -> None:
    """Columns for the rewards, enough problems for a batch, room for the answers; says the sizes."""
    from transformers import AutoConfig

    parts = [("the set of problems", rows), *([("the held-out set", held_out)] if held_out is not None else [])]
    for reward in wanted:
        for place, part in parts:
            chosen_rewards.check_columns(reward, [name for name in part.column_names if name != "problem"], place)
    sizes = batches.Batches.of(len(rows), training_args)
    options = {"tools": schemas or None, **(training_args.chat_template_kwargs or {})}
    longest = max(longest_prompt(part, tokenizer, options) for _, part in parts)
    name = str(model_args.model_name_or_path)
    model_config = AutoConfig.from_pretrained(adapter_base(name) or name, revision=model_args.model_revision)
    positions = model_config.get_text_config().max_position_embeddings
    batches.check_room(longest, training_args.max_completion_length, positions)
    if processes.is_first():
        print(sizes.summary(), flush=True)


def longest_prompt(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, options: dict[str, Any]) -> int:
    """In tokens, as the chat template lays it out."""
    if isinstance(dataset[0]["prompt"], str):
        return max(map(len, tokenizer(dataset["prompt"][:])["input_ids"]))
    encoded = tokenizer.apply_chat_template(
        dataset["prompt"][:], add_generation_prompt=True, return_dict=False, **options
    )
    return max(map(len, encoded))
