"""How many problems, completions and tokens does a step take? Reckoned, checked and printed before a model loads."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from trl import GRPOConfig


@dataclass(frozen=True)
class Batches:
    """One generation makes `completions` for `problems_at_once` problems and serves `steps_per_generation` steps."""

    problems: int  # rows of the data
    problems_at_once: int
    completions: int  # of one problem: a group
    optimizer_steps: float  # per generation; below 1 when several generations are accumulated
    steps: int
    max_completion_length: int  # tokens

    @classmethod
    def of(cls, problems: int, args: GRPOConfig) -> Batches:
        """Raises `UserMistake` when the data does not fill one generation."""
        at_once = args.generation_batch_size // args.num_generations
        if problems < at_once:
            raise UserMistake(
                f"{problems} problems are too few for one generation, which takes {at_once} at once:\n"
                f"  {args.per_device_train_batch_size} completions a device x {args.world_size} devices x "
                f"{args.steps_per_generation} steps_per_generation / {args.num_generations} num_generations.\n"
                "  to mend it: more problems, or a smaller  per_device_train_batch_size  or  steps_per_generation"
            )
        optimizer_steps = args.steps_per_generation * args.num_iterations / args.gradient_accumulation_steps
        steps = args.max_steps
        if steps <= 0:
            in_an_epoch = max(1, math.ceil((problems // at_once) * optimizer_steps))
            steps = math.ceil(args.num_train_epochs * in_an_epoch)
        return cls(problems, at_once, args.num_generations, optimizer_steps, steps, args.max_completion_length)

    def summary(self) -> str:
        """Two lines for people."""
        at_once = self.problems_at_once * self.completions
        asked = self.steps / self.optimizer_steps * self.problems_at_once
        return (
            f"a generation: {self.problems_at_once} problems x {self.completions} completions = {at_once} completions "
            f"of at most {self.max_completion_length} tokens, for {self.optimizer_steps:g} optimizer steps\n"
            f"in all: {self.steps:,} steps, {asked:,.0f} problems asked = {asked / self.problems:.2f} epochs over "
            f"{self.problems:,} problems"
        )


def check_evaluation(args: GRPOConfig, completions: int) -> None:
    """Raises `UserMistake` when a batch of evaluation would cut the `completions` of a problem apart."""
    batch = args.per_device_eval_batch_size * args.world_size
    if batch % completions:
        raise UserMistake(
            f"per_device_eval_batch_size {args.per_device_eval_batch_size} x {args.world_size} devices = {batch} is no "
            f"multiple of the {completions} completions of a problem.\n"
            f"  to mend it:   per_device_eval_batch_size: {math.lcm(completions, args.world_size) // args.world_size}"
        )


def check_room(longest_prompt: int, max_completion_length: int, positions: int | None) -> None:
    """Raises `UserMistake` when prompt and completion do not fit into the model's context (all in tokens)."""
    if positions is not None and longest_prompt + max_completion_length > positions:
        room = positions - longest_prompt
        raise UserMistake(
            f"max_completion_length: the longest prompt has {longest_prompt} tokens; with {max_completion_length} more "
            f"it does not fit into the model's {positions} positions.\n  to mend it:   "
            + (f"max_completion_length: {room}" if room > 0 else "leave out the problems with long prompts")
        )
