"""The completions of an evaluation, written down while TRL's trainer draws and judges them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object

from hfllm.completion import Completion
from hfllm.watching import initial
from hfllm.watching.answers import Answer

if TYPE_CHECKING:
    from hfllm.grpo.trainer import PracticeTrainer

Rewards = dict[str, float | None]


class Recorder:
    """`answers` holds all completions of the last evaluation, of all processes, in the order of the data.

    Make it before the first step: the policy of then is the one that distances are measured from."""

    def __init__(self, trainer: PracticeTrainer) -> None:
        self.trainer = trainer
        self.answers: list[Answer] = []
        self.initial = initial.scorer(trainer)
        self.last: list[tuple[Completion, Completion, list[int], Rewards]] = []  # of this process

    @contextmanager
    def one_evaluation(self) -> Iterator[None]:
        """Around each: the same random numbers every time, and those of training stay untouched."""
        self.answers.clear()
        with torch.random.fork_rng():
            torch.manual_seed(self.trainer.args.seed + self.trainer.accelerator.process_index)
            yield

    def judged(
        self, prompts: list[Completion], completions: list[Completion], ids: list[list[int]], rewards: torch.Tensor
    ) -> None:
        """`rewards` (completions of all processes, rewards), the others of this process."""
        first = self.trainer.accelerator.process_index * len(prompts)
        own = [self._by_name(row) for row in rewards[first : first + len(prompts)].tolist()]
        self.last = list(zip(prompts, completions, ids, own, strict=True))

    def record(self, output: dict[str, Any]) -> None:
        """`output` is what TRL makes of the completions that were judged last."""
        self.answers += gather_object(self._answers(output))
        # the last batch of several processes is filled up with the first rows again
        del self.answers[len(self.trainer.eval_dataset) * self.trainer.num_generations_eval :]

    def _answers(self, output: dict[str, Any]) -> list[Answer]:
        mask = torch.zeros_like(output["completion_ids"])  # (B, T); TRL's can leave out what was cut off
        for row, (_, _, ids, _) in enumerate(self.last):
            mask[row, : len(ids)] = 1
        own = mask * output.get("tool_mask", mask)  # what the model wrote itself
        tokens = torch.cat([output["prompt_ids"], output["completion_ids"]], 1)
        context = torch.cat([output["prompt_mask"], mask], 1)
        logps, entropies = initial.score(self.trainer, self.trainer.model, tokens, context, mask.size(1), entropy=True)
        sums = [
            (each * own).sum(1).tolist() for each in (logps, self.initial(tokens, context, mask.size(1)), entropies)
        ]
        ends = {*self.trainer.eos_token_ids, self.trainer._tokenizer.pad_token_id}
        return [
            Answer(
                prompt=prompt,
                completion=completion,
                rewards=rewards,
                tokens=[token for token, wrote in zip(ids, own[row].tolist(), strict=False) if wrote],
                truncated=ids[-1] not in ends,
                logp=logp,
                initial_logp=initial_logp,
                entropy=entropy / max(1, int(own[row].sum())),
            )
            for row, ((prompt, completion, ids, rewards), logp, initial_logp, entropy) in enumerate(
                zip(self.last, *sums, strict=True)
            )
        ]

    def _by_name(self, row: list[float]) -> Rewards:
        """None where a reward could not judge, which TRL has as NaN and JSON does not know."""
        values = [None if math.isnan(value) else value for value in row]
        return dict(zip(self.trainer.reward_func_names, values, strict=True))
