"""The batches that one generation is cut into: drawn anew for every epoch, and no longer than their longest row.

A batch is TRL's dict of tensors: prompts padded on the left, completions on the right. With images it stays whole."""

from __future__ import annotations

from typing import Any

import torch
from trl.trainer.utils import shuffle_sequence_dict, split_tensor_dict

Batch = dict[str, Any]
PROMPT = ("prompt_ids", "prompt_mask")


def is_plain(batch: Batch) -> bool:
    """Whether it holds nothing but tokens and what is reckoned of them."""
    return all(isinstance(value, torch.Tensor) and value.dim() <= 2 for value in batch.values())


def reshuffled(batches: list[Batch]) -> list[Batch]:
    """The same rows in other batches: each epoch of PPO draws its minibatches anew."""
    if not all(map(is_plain, batches)):
        return batches
    whole = {
        name: torch.cat([batch[name] for batch in batches]) if value.dim() else value
        for name, value in batches[0].items()
    }
    return split_tensor_dict(shuffle_sequence_dict(whole), len(batches))


def trimmed(batch: Batch) -> Batch:
    """Without the columns that are padding in all rows: the generation it stems from may have had longer ones."""
    if not is_plain(batch):
        return batch
    prompt, completion = _longest(batch["prompt_mask"]), _longest(batch["completion_mask"])
    width = batch["completion_mask"].size(1)

    def cut(name: str, value: torch.Tensor) -> torch.Tensor:
        if name in PROMPT:
            return value[:, -prompt:]
        return value[:, :completion] if value.dim() == 2 and value.size(1) == width else value

    return {name: cut(name, value) for name, value in batch.items()}


def _longest(mask: torch.Tensor) -> int:
    """The number of tokens in the longest row of a mask (B, T); at least 1."""
    return max(1, int(mask.sum(1).max()))
