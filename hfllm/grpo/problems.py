"""Which problems does a recipe mean, and do they fit its rewards, its batches and the model's context?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfllm import chosen_rewards, data, processes, tasks
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.grpo import batches
from hfllm.tasks import TaskConfig

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import GRPOConfig, ModelConfig

    from hfllm.chosen_rewards import Reward


def load(task_configs: list[TaskConfig], configs: list[DatasetConfig]) -> Dataset:
    """All problems in one data set, numbered in the column `problem`; a text as a prompt becomes a user's message."""
    from datasets import concatenate_datasets

    parts = [tasks.load_all(task_configs)] if task_configs else []
    parts += [with_messages(data.load(config), config.place) for config in configs]
    problems = concatenate_datasets(parts)
    return problems.add_column("problem", list(range(len(problems))))


def with_messages(dataset: Dataset, place: str) -> Dataset:
    check_columns(dataset.column_names, place)
    if isinstance(dataset[0]["prompt"], str):
        return dataset.map(lambda row: {"prompt": [{"role": "user", "content": row["prompt"]}]})
    return dataset


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

    parts = [("the problems", rows), *([("the held-out problems", held_out)] if held_out is not None else [])]
    for reward in wanted:
        for place, part in parts:
            chosen_rewards.check_columns(reward, part.column_names, place)
    sizes = batches.Batches.of(len(rows), training_args)
    options = {"tools": schemas or None, **(training_args.chat_template_kwargs or {})}
    longest = max(longest_prompt(part, tokenizer, options) for _, part in parts)
    model_config = AutoConfig.from_pretrained(model_args.model_name_or_path, revision=model_args.model_revision)
    positions = model_config.get_text_config().max_position_embeddings
    batches.check_room(longest, training_args.max_completion_length, positions)
    if processes.is_first():
        print(sizes.summary(), flush=True)


def longest_prompt(dataset: Dataset, tokenizer: PreTrainedTokenizerBase, options: dict[str, Any]) -> int:
    """In tokens, as the chat template lays it out."""
    encoded = tokenizer.apply_chat_template(
        dataset["prompt"][:], add_generation_prompt=True, return_dict=False, **options
    )
    return max(map(len, encoded))
