"""Sampling is scoring: completions are drawn from the very distribution that later gives their log-probabilities.

Otherwise the probability ratio is not 1 before the first step, and PPO clips what never moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from transformers import GenerationConfig

# settings of transformers' generation that change the distribution; top_p, top_k, min_p, repetition_penalty and
# temperature are settings of the trainer itself
DISTORTING = frozenset(
    [
        *("top_h", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff", "guidance_scale", "watermarking_config"),
        *("no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "encoder_repetition_penalty", "penalty_alpha"),
        *("bad_words_ids", "suppress_tokens", "begin_suppress_tokens", "sequence_bias", "num_beams", "do_sample"),
        *("min_length", "min_new_tokens", "exponential_decay_length_penalty", "forced_bos_token_id"),
        *("forced_eos_token_id", "remove_invalid_values", "token_healing", "top_p", "top_k", "repetition_penalty"),
    ]
)
# of those, what the trainer says itself at every generation, whatever the model's own settings are
OVERRIDDEN = frozenset(["top_p", "top_k", "repetition_penalty", "do_sample"])


def undistort(generation_config: GenerationConfig) -> list[str]:
    """Unset what a model's own generation_config.json would do to the distribution; returns the names."""
    found = sorted(set(generation_config.to_diff_dict()) & (DISTORTING - OVERRIDDEN))
    for name in found:
        setattr(generation_config, name, None)
    return found


def switch_off_dropout(model: nn.Module) -> None:
    """Also where a layer keeps its rate as a number (`attention_dropout`), which TRL's disable_dropout leaves alone."""
    for module in model.modules():
        for name, value in vars(module).items():
            if isinstance(value, float) and ("drop" in name or (name == "p" and "Dropout" in type(module).__name__)):
                setattr(module, name, 0.0)
