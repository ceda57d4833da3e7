"""Does the model have the modules that a recipe wants adapters on? Its architecture says so before weights are loaded.

    check_targets(model_args)       # lora_target_modules: [q_proj, v_prj]  ->  UserMistake

peft is content when one of the names fits, and leaves the others out without a word."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hfllm import models
from hfllm.errors import UserMistake
from hfllm.mistakes import near

if TYPE_CHECKING:
    from trl import ModelConfig

OUTPUT_LAYER = "lm_head"


def check_targets(model_args: ModelConfig) -> None:
    """Raises `UserMistake` for a target that the model does not have, or that is its output layer.

    TRL's trainers multiply by the weights of the output layer themselves, past an adapter on it."""
    targets = model_args.lora_target_modules or []
    if not model_args.use_peft or not isinstance(targets, list):  # a text is a pattern, or all-linear
        return
    if OUTPUT_LAYER in targets:
        raise UserMistake(f"lora_target_modules: {OUTPUT_LAYER} cannot have an adapter here; remove it")
    names = module_names(model_args)
    for target in targets:
        if not any(f".{name}".endswith(f".{target}") for name in names):
            own = sorted({name.rpartition(".")[2] for name in names})
            raise UserMistake(f"lora_target_modules: the model has no module {target}{near(target, own)}")


def module_names(model_args: ModelConfig) -> list[str]:
    """model.layers.0.self_attn.q_proj and the like: of a model without memory behind its weights."""
    import torch
    import transformers
    from transformers import AutoConfig, AutoModelForCausalLM

    name = str(model_args.model_name_or_path)
    config = AutoConfig.from_pretrained(models.adapter_base(name) or name, revision=model_args.model_revision)
    # as TRL loads it: models that read images, and encoders, are no causal LM to transformers
    own = getattr(transformers, (config.architectures or [""])[0], None)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config) if own is None else own(config)
    return [name for name, _ in model.named_modules() if name]
