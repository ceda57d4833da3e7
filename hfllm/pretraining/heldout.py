"""How well a model predicts text it has not seen, in bits per byte: comparable across tokenizers and vocabularies.

    Trainer(..., preprocess_logits_for_metrics=heldout.nats, compute_metrics=heldout.BitsPerByte(token_bytes))

Bits per byte = nats of all predicted tokens / ln 2 / bytes of the text they stand for. Special tokens stand for no text
and are counted on neither side; the first token of a row has nothing before it (nanochat, loss_eval.py)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional

from hfllm.labels import IGNORED

if TYPE_CHECKING:
    from transformers import EvalPrediction


def nats(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """-ln p of each token after the first, given those before it: (B, T, V), (B, T) -> (B, T - 1)."""
    wanted = labels[:, 1:]
    flat = functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), wanted.flatten(), ignore_index=IGNORED, reduction="none"
    )
    return flat.view(wanted.shape)


class BitsPerByte:
    """The `compute_metrics` of a Trainer whose logits went through `nats`; `token_bytes` (V,) is bytes per id."""

    def __init__(self, token_bytes: np.ndarray) -> None:
        self.token_bytes = token_bytes

    def __call__(self, prediction: EvalPrediction) -> dict[str, float]:
        labels = prediction.label_ids[:, 1:]  # (rows, T - 1)
        is_text = labels != IGNORED
        sizes = np.where(is_text, self.token_bytes[np.where(is_text, labels, 0)], 0)
        counted = sizes > 0
        bits = prediction.predictions[counted].sum(dtype=np.float64) / math.log(2)
        return {"bits_per_byte": float(bits / sizes.sum()), "bytes": int(sizes.sum())}
