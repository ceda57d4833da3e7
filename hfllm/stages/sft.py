"""Supervised fine-tuning: teach a base model to hold a conversation.

    accelerate launch -m hfllm.stages.sft recipes/tiny/sft.yaml

Reads data sets of conversations (the layouts are in `hfllm/conversations.py`), writes a model folder to `output_dir`,
with `use_peft` an adapter folder. Loss on the assistant's tokens only."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from hfllm import adapters, conversations, data, labels, models, processes, recipe, untrusted
from hfllm.data import DatasetMixtureConfig
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase
    from trl import ModelConfig, SFTConfig, SFTTrainer

CHECK_COLUMNS = conversations.check_columns  # asked by `hfllm check` for data files that are there already
DEFAULTS = {"assistant_only_loss": True}  # where upstream's default is another


def main(data_args: DatasetMixtureConfig, training_args: SFTConfig, model_args: ModelConfig) -> dict[str, Any]:
    """Fine-tune `model_name_or_path` on `datasets`; returns rows and tokens of each data set, and the final losses."""
    if not model_args.model_name_or_path or not data_args.datasets:
        raise UserMistake("stage sft: the recipe needs  model_name_or_path:  and  datasets:")
    if training_args.dataset_kwargs:
        raise UserMistake("dataset_kwargs: not used by the stage sft, which makes the labels itself; remove it")
    model_args.model_name_or_path = models.find_model(model_args.model_name_or_path)
    adapters.check_targets(model_args)
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_args.model_name_or_path, revision=model_args.model_revision)
    with training_args.main_process_first(desc="encoding"):
        train, evaluation = _encoded(data_args, tokenizer, training_args)
    counts = _counts(train)
    _counts(evaluation)

    from hfllm import fused_head, training

    training.prepare(training_args)
    fused_head.prepare(training_args.device)
    trainer = _trainer(model_args, training_args, tokenizer, train, evaluation)
    return {"data": counts, **training.train(trainer)}


def _encoded(
    data_args: DatasetMixtureConfig, tokenizer: PreTrainedTokenizerBase, training_args: SFTConfig
) -> tuple[dict[str, Dataset], dict[str, Dataset]]:
    """Training and evaluation data by place, as token ids and labels; sets what ends an answer in `training_args`."""
    assistant_only = bool(training_args.assistant_only_loss)
    special_tokens = untrusted.control_tokens(tokenizer)
    mixtures = [
        data.by_place([data.load(config) for config in configs], configs)
        for configs in (data_args.datasets, data_args.eval_datasets)
    ]
    read = [
        {place: conversations.to_messages(rows, place, special_tokens) for place, rows in mixture.items()}
        for mixture in mixtures
    ]
    everything = [rows for mixture in read for rows in mixture.values()]
    if any(map(labels.needs_template, everything)):
        needs_marks = assistant_only and any("messages" in rows.column_names for rows in everything)
        stop = labels.prepare_template(tokenizer, training_args.chat_template_path, assistant_only=needs_marks)
        training_args.eos_token = training_args.eos_token or stop
    limits = labels.Limits(training_args.max_length, training_args.truncation_mode)
    encode = partial(
        labels.encode,
        tokenizer=tokenizer,
        limits=limits,
        assistant_only=assistant_only,
        completion_only=training_args.completion_only_loss is not False,
        processes=training_args.dataset_num_proc,
    )
    train, evaluation = ({place: encode(rows, place=place) for place, rows in mixture.items()} for mixture in read)
    return train, evaluation


def _counts(encoded: dict[str, Dataset]) -> dict[str, dict[str, int]]:
    """Rows and tokens of each data set, which are printed too."""
    counts = {place: labels.counts(rows) for place, rows in encoded.items()}
    for place, numbers in counts.items():
        if processes.is_first():
            print("{rows:>9,} rows {tokens:>12,} tokens {trained_tokens:>12,} trained on".format(**numbers), place)
    return counts


def _trainer(
    model_args: ModelConfig,
    training_args: SFTConfig,
    tokenizer: PreTrainedTokenizerBase,
    train: dict[str, Dataset],
    evaluation: dict[str, Dataset],
) -> SFTTrainer:
    from datasets import concatenate_datasets
    from trl import SFTTrainer, get_peft_config, get_quantization_config

    if training_args.packing and training_args.packing_strategy == "wrapped":
        raise UserMistake("packing_strategy: with wrapped, packed rows see each other; write  packing_strategy: bfd")
    training_args.assistant_only_loss = False  # done: the labels say it, and the trainer would ask for messages
    training_args.chat_template_path = None  # done: the trainer knows no shipped templates
    training_args.model_init_kwargs = {
        "revision": model_args.model_revision,
        "attn_implementation": model_args.attn_implementation,
        "dtype": model_args.dtype,
        **(training_args.model_init_kwargs or {}),
        "use_safetensors": True,
    }
    trainer = SFTTrainer(
        model=model_args.model_name_or_path,
        args=training_args,
        train_dataset=concatenate_datasets(list(train.values())),
        eval_dataset=concatenate_datasets(list(evaluation.values())) if evaluation else None,
        processing_class=tokenizer,
        peft_config=get_peft_config(model_args),
        quantization_config=get_quantization_config(model_args),
    )
    if trainer.padding_free:  # asked for, or what packing amounts to
        _check_packing(trainer.model)
    return trainer


def _check_packing(model: Any) -> None:
    """Packed rows must not see each other: the logits of a row are the same behind another row as alone.

    True for flash attention, and for sdpa and eager where the model builds its mask from `position_ids`."""
    import torch

    first, second = torch.tensor([[1, 2, 3]]), torch.tensor([[4, 5, 6]])
    positions = torch.tensor([[0, 1, 2, 0, 1, 2]])
    with torch.no_grad():
        packed, positions = torch.cat([first, second], dim=1).to(model.device), positions.to(model.device)
        together = model(input_ids=packed, position_ids=positions, use_cache=False).logits[:, 3:]
        alone = model(input_ids=second.to(model.device), use_cache=False).logits
    if not torch.allclose(together, alone, atol=1e-3 if together.dtype == torch.float32 else 0.1):
        raise UserMistake(
            f"packing: with attn_implementation {model.config._attn_implementation} packed rows would see each other.\n"
            "  to mend it:   packing: false   (and padding_free: false), or   attn_implementation: flash_attention_2"
        )


if __name__ == "__main__":
    recipe.run(main)
