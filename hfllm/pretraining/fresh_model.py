"""A model with random weights from the `model_config:` of a recipe, or the reason why those keys make none.

    config = fresh_model.config({"model_type": "qwen3", "hidden_size": 96, ...}, tokenizer, block_size=128)

transformers takes any unknown key of a configuration silently; here it is a mistake with the nearest name."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake
from hfllm.mistakes import near

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

FROM_TOKENIZER = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")


def config(
    values: dict[str, Any], tokenizer: PreTrainedTokenizerBase, block_size: int | None = None
) -> PreTrainedConfig:
    """The configuration of the recipe, its vocabulary filled in from the tokenizer.

    Raises UserMistake for unknown keys, refused values, and too few positions for `block_size`."""
    from huggingface_hub.errors import StrictDataclassError

    values = dict(values)
    config_class = class_of(values.pop("model_type", None))
    check_keys(values, config_class)
    values |= {
        "vocab_size": len(tokenizer),
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    try:
        made = config_class(**values)
    except StrictDataclassError as error:
        raise UserMistake(f"model_config: {error}") from error
    if block_size is not None:
        check_positions(made, block_size)
    return made


def check_positions(made: PreTrainedConfig, block_size: int) -> None:
    """Raises UserMistake when a row is longer than the model's positions."""
    if made.max_position_embeddings < block_size:
        raise UserMistake(
            f"block_size is {block_size}, but the model has positions for {made.max_position_embeddings} tokens.\n"
            f"  to mend it:   max_position_embeddings: {block_size}   in model_config, or a smaller block_size"
        )


def class_of(model_type: str | None) -> type[PreTrainedConfig]:
    """The configuration class of a causal language model. Raises UserMistake when there is none of this name."""
    from transformers import CONFIG_MAPPING, MODEL_FOR_CAUSAL_LM_MAPPING

    if model_type is None:
        raise UserMistake("model_config: model_type is missing; write for instance   model_type: qwen3")
    if model_type not in CONFIG_MAPPING:
        raise UserMistake(f"model_config: no model_type {model_type!r}{near(model_type, list(CONFIG_MAPPING))}")
    config_class = CONFIG_MAPPING[model_type]
    if config_class not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise UserMistake(f"model_config: {model_type!r} is no causal language model; qwen3, llama and gpt2 are.")
    return config_class


def check_keys(values: dict[str, Any], config_class: type[PreTrainedConfig]) -> None:
    """Raises UserMistake with one line for each key that this configuration has not or the recipe must not set."""
    known = [*inspect.signature(config_class).parameters, *config_class.attribute_map, "attn_implementation"]
    if "rope_parameters" in known:
        known.append("rope_theta")  # the old name still works: it becomes a rope parameter
    lines = [f"{key}: comes from the tokenizer; leave it out" for key in values if key in FROM_TOKENIZER]
    lines += [f"{key}: no such key{near(key, known)}" for key in values if key not in known]
    if lines:
        raise UserMistake("\n  ".join([f"model_config ({config_class.model_type}):", *lines]))


def build(config: PreTrainedConfig) -> PreTrainedModel:
    """Random weights in float32; generation stops at the tokenizer's end of text."""
    import torch
    from transformers import AutoModelForCausalLM, GenerationConfig

    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.generation_config = GenerationConfig(
        bos_token_id=config.bos_token_id, eos_token_id=config.eos_token_id, pad_token_id=config.pad_token_id
    )
    return model
