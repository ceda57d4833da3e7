"""Keys that moved or went away, here or upstream, and what to write today.

Asked only for keys that a stage does not have, so a name that is alive there never gets advice here."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hfllm import keys, renamed_rewards

# the same value under today's name
MOVED = {
    "torch_dtype": "dtype",
    "max_seq_length": "max_length",
    "evaluation_strategy": "eval_strategy",
    "preprocessing_num_workers": "dataset_num_proc",
    "no_cuda": "use_cpu",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "push_to_hub_model_id": "hub_model_id",
    "hub_model_revision": "hub_revision",  # open-r1
    "model_name": "model_name_or_path",
    "model": "model_name_or_path",
    "use_lora": "use_peft",
    "id": "path",  # inside an entry of `datasets`, alignment-handbook
    "config": "name",
    "base_model": "model_name_or_path",  # Axolotl
    "micro_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "sequence_len": "max_length",
    "num_epochs": "num_train_epochs",
    "optimizer": "optim",
    "lr_scheduler": "lr_scheduler_type",
    "sample_packing": "packing",
    "eval_sample_packing": "eval_packing",
    "dataset_processes": "dataset_num_proc",
    "wandb_name": "run_name",
    "cutoff_len": "max_length",  # LLaMA-Factory
    "lora_rank": "lora_r",
    "enable_liger_kernel": "use_liger_kernel",
    "use_liger": "use_liger_kernel",
    "double_quantization": "use_bnb_nested_quant",
    "vllm_max_model_len": "vllm_max_model_length",
    "sft_model_path": "model_name_or_path",  # TRL's PPO up to 1.12
    "response_length": "max_completion_length",
}

REMOVE = "gone: remove it"
OFF = "gone, and off here: remove it"
PART_OF_A_SPLIT = "write a slice  split: train[95%:]  in an entry of  eval_datasets:, and  train[:95%]  in  datasets:"
TOKENIZER = "gone: the tokenizer is read from the model's folder"
LAYOUT = "not needed: conversations are known by their columns; rename yours with  columns: {old: new}"
ANSWERS_ONLY = "write  assistant_only_loss: true  for the loss on answers only (the default here), or false"
LIGER = "write  use_liger_kernel: true"
SDPA = "write  attn_implementation: sdpa"

# gone, and what takes its place
GONE = {
    "<<": "merge keys are not read: write the keys out",
    "overwrite_output_dir": "gone since transformers 5: an older output is moved to OUTPUT_DIR.previous by itself",
    "max_prompt_length": "gone since trl 1.0: filter long prompts in the data",
    "logging_dir": "gone since transformers 5: set the environment variable TENSORBOARD_LOGGING_DIR",
    "save_safetensors": "gone since transformers 5: safetensors is the only format",
    "group_by_length": "gone since transformers 5: write  train_sampling_strategy: group_by_length",
    "include_tokens_per_second": "gone since transformers 5: tokens per second are always logged",
    "dispatch_batches": "gone since transformers 5: write it inside  accelerator_config:",
    "split_batches": "gone since transformers 5: write it inside  accelerator_config:",
    "use_mps_device": "gone since transformers 5: the device is found by itself",
    "vllm_device": "gone since trl 0.16: write  engine: vllm_colocate  in a recipe of the stage grpo",
    "reward_model_path": "write  rewards: {PATH: {}}  in a recipe of the stage ppo",
    "total_episodes": "write  max_steps:  (optimizer steps), or  num_train_epochs:",
    "whiten_rewards": "not needed: advantages are whitened; remove it",
    "stop_token": "not needed: every token that ends a turn of the model ends a completion; remove it",
    "stop_token_id": "not needed: every token that ends a turn of the model ends a completion; remove it",
    "num_sample_generations": "not needed: completions.md in the run folder has samples; remove it",
    "kl_estimator": "k1, the one that is unbiased inside the reward (arXiv 2512.21852); remove it",
    "dataset_train_split": "write  split:  inside the entry of  datasets:",
    "dataset_test_split": "write  eval_datasets:  with  split:  inside",
    "dataset_config": "write  name:  inside the entry of  datasets:",
    "dataset_splits": "write  split:  inside each entry of  datasets:  and  eval_datasets:",
    "dataset_configs": "write  name:  inside each entry of  datasets:",
    "dataset_streaming": "not needed: data is memory-mapped; a part of it:  rows:  inside the entry of  datasets:",
    "streaming": "not needed: data is memory-mapped; a part of it:  rows:  inside the entry of  datasets:",
    "max_samples": "write  rows:  inside each entry of  datasets:",
    "shards": "write a slice  split: train[:25%]  inside the entry of  datasets:",
    "weight": "write a slice  split: train[:50%]  for half of the rows",
    "dataset_text_field": "rename the column:  columns: {YOURS: text}  inside the entry of  datasets:",
    "dataset_prompt_column": "rename the column:  columns: {YOURS: prompt}  inside the entry of  datasets:",
    "dataset_dir": "write the path of each data set:  datasets: [{path: ...}]",
    "dataset_prepared_path": "gone: prepared data is kept in the cache of the library datasets",
    "overwrite_cache": "gone: data that changed is prepared again by itself",
    "test_datasets": "write  eval_datasets: [{path: ..., split: ...}]",
    "ds_type": "not needed: the ending of a data file says its format",
    "train_on_eos": "gone: the stop token of an answer is always trained",
    "special_tokens": "set them in the tokenizer's own tokenizer_config.json; or write  eos_token:  and  pad_token:",
    "truncation_side": "write  truncation_mode: keep_start  or  truncation_mode: keep_end",
    "model_type": "gone: it is read from the model's config.json",
    "model_code_revision": "gone: write  model_revision:",
    "chat_template": "write the template to a file:  chat_template_path: my_template.jinja",
    "template": "the chat template is the tokenizer's own; another one:  chat_template_path: my_template.jinja",
    "system_prompt": "write it as the first message of each conversation in the data, role system",
    "auto_insert_empty_system_msg": "gone: a chat template says what an absent system message means",
    "chat_template_kwargs": "gone from sft: write the values into the template,  chat_template_path: my_template.jinja",
    "flex_attention": "write  attn_implementation: flex_attention",
    "load_in_4bits": "write  load_in_4bit: true",
    "neat_packing": "write  packing: true  (packed conversations never see each other)",
    "pad_to_sequence_len": "gone: a batch is padded to its longest row",
    "lora_model_dir": "write the adapter's folder:  model_name_or_path: FOLDER",
    "adapter_name_or_path": "write the adapter's folder:  model_name_or_path: FOLDER",
    "evals_per_epoch": "write  eval_steps:  as a share of all steps, e.g.  eval_steps: 0.1",
    "saves_per_epoch": "write  save_steps:  as a share of all steps, e.g.  save_steps: 0.1",
    "plot_loss": "not needed: the losses are in log.jsonl of the run folder",
    "plugins": "write the key of the plugin, e.g.  use_liger_kernel: true",
    "wandb_project": "set the environment variable WANDB_PROJECT; Trackio's is  project:",
    "benchmarks": "evaluation is a stage of its own: write a recipe evaluate.yaml",
    "callbacks": "gone: what a stage records is in its run folder",
    "push_to_hub_revision": "write  push_to_hub: true  and  hub_revision:",
    "overwrite_hub_revision": "gone: write another name,  hub_revision:",
    "accelerate_config": "write  launch:  with a name in accelerate_configs/ or a file",
    "num_processes": "write it in the accelerate config that  launch:  names",
    "stage": "the recipe's file name says the stage: sft.yaml, sft-mine.yaml",
    "config": "the recipe is the first argument:  hfllm run FILE",
    "do_sample": "sampling belongs to  hfllm chat",
    "env": "set environment variables in the shell that starts the run",
    **{
        f"wandb_{name}": f"set the environment variable WANDB_{name.upper()}"
        for name in ("entity", "run_group", "watch")
    },
    **dict.fromkeys(("test_split_size", "val_set_size", "val_size"), PART_OF_A_SPLIT),
    **dict.fromkeys(("tokenizer", "tokenizer_name", "tokenizer_name_or_path", "tokenizer_type"), TOKENIZER),
    **dict.fromkeys(("tokenizer_revision", "processing_class"), TOKENIZER),
    **dict.fromkeys(("type", "field", "field_messages", "message_field_role", "message_field_content"), LAYOUT),
    **dict.fromkeys(("message_property_mappings", "conversation", "roles"), LAYOUT),
    **dict.fromkeys(("roles_to_train", "train_on_inputs", "train_on_prompt", "mask_history"), ANSWERS_ONLY),
    **dict.fromkeys(("xformers_attention", "sdp_attention", "sdpa_attention"), SDPA),
    **dict.fromkeys(("liger_rope", "liger_rms_norm", "liger_glu_activation"), LIGER),
    **dict.fromkeys(("liger_fused_linear_cross_entropy", "liger_layer_norm"), LIGER),
    **dict.fromkeys(("fp16_backend", "half_precision_backend", "past_index", "use_ipex", "jit_mode_eval"), REMOVE),
    **dict.fromkeys(("torchdynamo", "ray_scope", "mp_parameters", "tpu_num_cores", "ignore_bias_buffers"), REMOVE),
    **dict.fromkeys(("dataset_batch_size", "num_of_sequences", "chars_per_token", "strict", "eval_table_size"), REMOVE),
    **dict.fromkeys(("lora_fan_in_fan_out", "hf_use_auth_token", "eval_max_new_tokens", "quantization_method"), REMOVE),
    **dict.fromkeys(("wandb_log_model", "early_stopping_patience", "use_unsloth", "mix_strategy"), REMOVE),
    **dict.fromkeys(("label_pad_token_id", "padding_value", "is_encoder_decoder"), REMOVE),
    **dict.fromkeys(("generate_during_eval", "image_max_pixels"), REMOVE),
}

# keys of one kind of training that are often written into the recipe of another: upstream's, and those of open-r1
OF_STAGE = {
    "grpo": """
        num_generations num_generations_eval max_completion_length generation_batch_size steps_per_generation beta
        temperature top_p top_k min_p repetition_penalty generation_kwargs use_vllm vllm_mode vllm_server_host
        vllm_server_port vllm_server_timeout vllm_gpu_memory_utilization vllm_max_model_len vllm_max_model_length
        vllm_tensor_parallel_size vllm_dtype num_iterations epsilon epsilon_high delta importance_sampling_level
        reward_funcs reward_weights rewards scale_rewards mask_truncated_completions sync_ref_model
        ref_model_mixup_alpha ref_model_sync_steps top_entropy_quantile log_completions num_completions_to_print
        log_unique_prompts wandb_log_unique_prompts disable_dropout ds3_gather_for_generation
        cosine_min_value_wrong cosine_max_value_wrong cosine_min_value_correct cosine_max_value_correct cosine_max_len
        repetition_n_grams repetition_max_penalty code_language code_provider code_eval_test_batch_size
        code_eval_scoring_mode parallel_code_exec_per_proc ioi_provider e2b_router_url morph_router_url
        max_completion_len soft_punish_cache""",
    "dpo": """
        beta label_smoothing loss_weights f_divergence_type f_alpha_divergence_coef ld_alpha discopop_tau use_weighting
        precompute_ref_log_probs precompute_ref_batch_size sync_ref_model ref_model_mixup_alpha ref_model_sync_steps
        reference_free rpo_alpha force_use_ref_model model_adapter_name ref_adapter_name disable_dropout
        pref_beta pref_loss pref_ftx ref_model rl rl_beta dpo_beta""",
    "reward": "center_rewards_coefficient disable_dropout",
    "ppo": "reward_model kl_coef cliprange cliprange_value vf_coef gamma lam num_ppo_epochs",
}


def _warmup_ratio(value: Any) -> str:
    return f"gone since transformers 5: write  warmup_steps: {value}  (below 1 it is a share of the steps)"


def _dataset_mixture(value: Any) -> str:
    """alignment-handbook's {"org/a": 0.5, "org/b": 1} took half of a and all of b; later mixtures were lists."""
    match value:
        case {"datasets": list(entries)}:
            return f"now the list alone: write  datasets: [{', '.join(map(_mixture_entry, entries))}]"
        case dict():
            entries = [{"path": name, "weight": share} for name, share in value.items()]
            return f"now called datasets: write  datasets: [{', '.join(map(_mixture_entry, entries))}]"
    return "now called datasets: write  datasets: [{path: ..., split: ...}]"


def _mixture_entry(entry: Any) -> str:
    """{"id": "org/a", "config": "b", "weight": 0.5} -> "{path: org/a, name: b, split: train[:50%]}"."""
    entry = entry if isinstance(entry, dict) else {"path": entry}
    new = {MOVED.get(key, key): value for key, value in entry.items() if key != "weight"}
    share = entry.get("weight")
    if isinstance(share, (int, float)) and 0 < share < 1:
        new["split"] = f"{new.get('split', 'train')}[:{share * 100:g}%]"
    return "{" + ", ".join(f"{key}: {_yaml(value)}" for key, value in new.items()) + "}"


def _dataset_name(value: Any, key: str = "datasets") -> str:
    return f"now a list: write  {key}: [{', '.join(f'{{path: {name}}}' for name in _names(value))}]"


def _eval_dataset(value: Any) -> str:
    return _dataset_name(value, "eval_datasets")


def _lora_target(value: Any) -> str:
    names = ["all-linear"] if value in ("all", True) else _names(value)
    return f"write  lora_target_modules: [{', '.join(names)}]"


def _additional_target(value: Any) -> str:
    return f"write  lora_modules_to_save: [{', '.join(_names(value))}]"


def _adapter(value: Any) -> str:
    match value:
        case "lora":
            return "write  use_peft: true"
        case "qlora":
            return "write  use_peft: true  and  load_in_4bit: true"
    return "write  use_peft: true  to train an adapter (LoRA); without it the whole model is trained"


def _flash_attention(value: Any) -> str:
    if value in ("disabled", "auto"):
        return REMOVE
    return f"write  attn_implementation: {'sdpa' if value == 'sdpa' else 'flash_attention_2'}"


def _quantization_bit(value: Any) -> str:
    return f"write  load_in_{8 if value == 8 else 4}bit: true"


REWRITTEN: dict[str, Callable[[Any], str]] = {
    "warmup_ratio": _warmup_ratio,
    "dataset_mixer": _dataset_mixture,
    "dataset_mixture": _dataset_mixture,
    "dataset_name": _dataset_name,
    "dataset_id_or_path": _dataset_name,
    "dataset": _dataset_name,
    "eval_dataset": _eval_dataset,
    "lora_target": _lora_target,
    "lora_target_linear": _lora_target,
    "additional_target": _additional_target,
    "adapter": _adapter,
    "finetuning_type": _adapter,
    "use_flash_attention_2": _flash_attention,
    "flash_attention": _flash_attention,
    "flash_attn": _flash_attention,
    "quantization_bit": _quantization_bit,
}


def advice(key: str, value: Any, known: dict[str, Any]) -> str | None:
    """What to write instead of `key: value` in a stage that has the keys `known`; None when the key was never one.

    advice("torch_dtype", "bfloat16", {"dtype": ...}) == "now called dtype: write  dtype: bfloat16" """
    if "rewards" in known and (said := renamed_rewards.advice(key, value)):
        return said
    if MOVED.get(key) in known and key not in REWRITTEN:
        return f"now called {MOVED[key]}: write  {MOVED[key]}: {_yaml(value)}"
    if key in GONE or key in REWRITTEN:
        off = value in (None, False, "", [], {})
        return OFF if off else REWRITTEN[key](value) if key in REWRITTEN else GONE[key]
    return _of_stage(key)


def _of_stage(key: str) -> str | None:
    stages = [stage for stage, names in OF_STAGE.items() if key in names.split()]
    if not stages:
        return None
    ready = [stage for stage in stages if stage in keys.stages()]
    later = "" if ready else ", not in hfllm yet"
    return f"a key of another stage ({', '.join(ready or stages)}{later}): remove it here"


def _names(value: Any) -> list[str]:
    """ "a, b" and ["a", "b"] are both written in the wild."""
    return [str(name).strip() for name in (value if isinstance(value, list) else str(value).split(","))]


def _yaml(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
