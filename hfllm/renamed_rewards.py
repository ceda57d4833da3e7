"""Which reward of hfllm do the keys of open-r1's GRPO recipes mean? Rewards stand in one mapping, options inside."""

from __future__ import annotations

from typing import Any

# open-r1's and TRL's names of rewards
REWARDS = {
    "accuracy": "accuracy",
    "accuracy_reward": "accuracy",
    "reasoning_accuracy_reward": "accuracy",
    "format": "format",
    "think_format_reward": "format",
    "tag_count": "tags",
    "length": "length",
    "cosine": "cosine",
    "repetition_penalty": "repetition",
    "get_repetition_penalty_reward": "repetition",
    "reasoning_steps": "matches",
    "code": "python_tests",
    "binary_code": "python_tests",
    "soft_overlong_punishment": "overlong",
    "get_soft_overlong_punishment": "overlong",
}
NO_OPTION = "rewards judge in hfllm's own sandbox: remove it"
OPTIONS = {
    "cosine_max_len": "rewards: {{cosine: {{max_tokens: {}}}}}",
    "cosine_min_value_wrong": "rewards: {{cosine: {{wrong_short: {}}}}}",
    "cosine_max_value_wrong": "rewards: {{cosine: {{wrong_long: {}}}}}",
    "cosine_min_value_correct": "rewards: {{cosine: {{correct_long: {}}}}}",
    "cosine_max_value_correct": "rewards: {{cosine: {{correct_short: {}}}}}",
    "repetition_n_grams": "rewards: {{repetition: {{ngram_size: {}}}}}",
    "max_completion_len": "rewards: {{overlong: {{max_tokens: {}}}}}",
    "soft_punish_cache": "rewards: {{overlong: {{buffer_tokens: {}}}}}",
}
GONE = {
    "reward_weights": "write the weight beside its reward:  rewards: {accuracy: {weight: 1.0}}",
    "repetition_max_penalty": "the penalty goes to -1; another size:  rewards: {repetition: {weight: 0.5}}",
    "vllm_dtype": "gone: vLLM takes the  dtype:  of the model",
    "wandb_log_unique_prompts": "now called log_unique_prompts",
    **dict.fromkeys(("code_language", "code_provider", "code_eval_test_batch_size"), NO_OPTION),
    **dict.fromkeys(("code_eval_scoring_mode", "parallel_code_exec_per_proc", "ioi_provider"), NO_OPTION),
    **dict.fromkeys(("e2b_router_url", "morph_router_url"), NO_OPTION),
}


def advice(key: str, value: Any) -> str | None:
    """advice("cosine_max_len", 1000) == "an option of its reward: write  rewards: {cosine: {max_tokens: 1000}}" """
    if key == "reward_funcs":
        names = value if isinstance(value, list) else [value]
        return f"now a mapping: write  rewards: {{{', '.join(map(_reward, names))}}}"
    if key in OPTIONS:
        return f"an option of its reward: write  {OPTIONS[key].format(value)}"
    return GONE.get(key)


def _reward(name: Any) -> str:
    """A name that hfllm does not have is kept: a path, or a mistake that the next check tells."""
    return f"{REWARDS.get(str(name), name)}: {{}}"
