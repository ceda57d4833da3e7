"""How does TRL's fused head, which scores tokens without holding all logits, run well on a CPU?

Its tiles are made for Triton, which works in place; in plain torch they take twice the time and memory (measured:
`python -m tests.bench.ppo_speed`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trl.trainer import utils as trl_utils

if TYPE_CHECKING:
    import torch

VOCABULARY_TILE = 2048  # token ids scored at a time on a CPU; TRL's own number is 32,768


def prepare(device: torch.device) -> None:
    """On a CPU: small tiles, and of each row only the tokens that are trained on."""
    if device.type == "cpu":
        trl_utils._CHUNKED_LOGPROB_CHUNK_SIZE = VOCABULARY_TILE
        # TRL leaves out prompts and padding only where Triton runs, for others would compile new shapes every time
        trl_utils._use_triton = scores_only_answers


def scores_only_answers(device: torch.device) -> bool:
    """In the place of TRL's question whether Triton runs on `device`, where all that hangs on it is what is scored."""
    return True
