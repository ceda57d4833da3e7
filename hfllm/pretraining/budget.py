"""Batch arithmetic: how many tokens a step, how many steps, how often the text is seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import TrainingArguments


@dataclass(frozen=True)
class Budget:
    """What a run will train on; the Trainer counts the same way (trainer.set_initial_training_values)."""

    rows: int
    rows_per_step: int
    block_size: int
    steps: int

    @classmethod
    def of(cls, rows: int, block_size: int, args: TrainingArguments) -> Budget:
        """rows 100, batch 8 -> 13 steps an epoch, the last one smaller."""
        per_batch = args.train_batch_size * args.world_size
        batches = rows // per_batch if args.dataloader_drop_last else math.ceil(rows / per_batch)
        steps_per_epoch = max(1, math.ceil(batches / args.gradient_accumulation_steps))
        steps = args.max_steps if args.max_steps > 0 else math.ceil(args.num_train_epochs * steps_per_epoch)
        return cls(rows, per_batch * args.gradient_accumulation_steps, block_size, steps)

    @property
    def tokens_per_step(self) -> int:
        return self.rows_per_step * self.block_size

    @property
    def tokens(self) -> int:
        return self.steps * self.tokens_per_step

    @property
    def epochs(self) -> float:
        return self.steps * self.rows_per_step / self.rows

    def summary(self) -> str:
        return (
            f"batches: {self.rows_per_step} rows x {self.block_size} tokens = {self.tokens_per_step:,} tokens a step;"
            f" {self.steps:,} steps = {self.tokens:,} tokens = {self.epochs:.2f} epochs over {self.rows:,} rows"
        )
