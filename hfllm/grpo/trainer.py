"""TRL's GRPOTrainer, with what it lacks: positions under left padding, which problems were solved, what was answered.

Left padding: prompts of a batch are padded on the left, and TRL scores them without `position_ids`, so that a model
with learned positions (GPT-2) reads a padded prompt at shifted places and is scored up to 0.65 nats a token off."""

from __future__ import annotations

import inspect
import math
from collections import defaultdict
from collections.abc import Callable
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from accelerate.utils import gather_object, is_peft_model
from trl import GRPOTrainer

from hfllm import fused_head
from hfllm.pass_at_k import pass_at_k
from hfllm.tools import plain
from hfllm.untrusted import control_tokens

if TYPE_CHECKING:
    from hfllm.watching.recorder import Recorder

ACCURACY = "accuracy"  # the reward that says whether a problem is solved
PROBLEM = "problem"  # column: the number of a row in its data set


class PracticeTrainer(GRPOTrainer):
    """`solved[problem]` holds, after an evaluation, for each completion of a problem whether it was right.

    With a `recorder` (of a watch) every evaluation draws its completions with the same random numbers, and it keeps
    them."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.solved: dict[int, list[bool]] = defaultdict(list)
        self.recorder: Recorder | None = None
        self.num_generations_eval: int  # set by TRL
        super().__init__(*args, **kwargs)
        fused_head.prepare(self.accelerator.device)
        causal_lm = self.model.get_base_model() if is_peft_model(self.model) else self.model
        self._control_tokens = control_tokens(self.processing_class)
        self._takes_positions = "position_ids" in inspect.signature(type(causal_lm).forward).parameters

    def _get_per_token_logps_and_entropies(self, model: Any, *args: Any, **kwargs: Any) -> Any:
        text_only = all(kwargs.get(name) is None for name in ("pixel_values", "mm_token_type_ids"))
        scorer = at_own_positions(model) if self._takes_positions and text_only else model
        return super()._get_per_token_logps_and_entropies(scorer, *args, **kwargs)

    def _generate_and_score_completions(self, inputs: list[dict[str, Any]]) -> dict[str, Any]:
        output = super()._generate_and_score_completions(inputs)
        if self.recorder is not None and not self.model.training:
            self.recorder.record(output)
        return output

    def _calculate_rewards(
        self, inputs: list[dict[str, Any]], prompts: list[Any], completions: list[Any], completion_ids: list[list[int]]
    ) -> torch.Tensor:
        rewards = super()._calculate_rewards(inputs, prompts, completions, completion_ids)  # (all processes', rewards)
        if self.recorder is not None:
            self.recorder.judged(prompts, completions, completion_ids, rewards)
        if not self.model.training and ACCURACY in self.reward_func_names:
            judged = rewards[:, self.reward_func_names.index(ACCURACY)].tolist()
            for problem, reward in zip(gather_object([row[PROBLEM] for row in inputs]), judged, strict=True):
                if not math.isnan(reward):  # None of a reward: nobody can tell
                    self.solved[problem].append(reward >= 1)
        return rewards

    def _get_tool_suffix_ids(self, tool_messages: list[dict[str, Any]]) -> Any:
        """TRL's own words about a call hold the name that the model wrote: they must not become special tokens."""
        return super()._get_tool_suffix_ids([self._safe(message) for message in tool_messages])

    def _safe(self, message: dict[str, Any]) -> dict[str, Any]:
        texts = {key: str(message[key]) for key in ("content", "name") if key in message}
        return message | {key: plain(text, self._control_tokens) for key, text in texts.items()}

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None at every checkpoint: the card is made from the receipt, when the stage has ended."""

    def evaluation_loop(self, *args: Any, metric_key_prefix: str = "eval", **kwargs: Any) -> Any:
        """As in TRL, with pass@1 and pass@k among the metrics: k is `num_generations_eval`.

        A right answer counts where it was cut off behind the answer, too."""
        self.solved.clear()
        with nullcontext() if self.recorder is None else self.recorder.one_evaluation():
            output = super().evaluation_loop(*args, metric_key_prefix=metric_key_prefix, **kwargs)
        for k in sorted({1, self.num_generations_eval}) if self.solved else []:
            output.metrics[f"{metric_key_prefix}_pass@{k}"] = mean_pass_at_k(self.solved, k)
        return output

    def solve_rates(self, samples: int) -> list[float]:
        """For each training problem the share of `samples` completions that are right; nothing is learned or logged.

        0 for a problem of which nobody could judge a completion."""
        before: int = self.num_generations_eval
        self.num_generations_eval = samples
        self.evaluation_loop(self.get_eval_dataloader(self.train_dataset), description="Solve rates")
        self.num_generations_eval = before
        self._metrics["eval"].clear()
        rights = [self.solved[problem] for problem in range(len(self.train_dataset))]
        return [sum(some) / len(some) if some else 0.0 for some in rights]


def at_own_positions(model: Callable[..., Any]) -> Callable[..., Any]:
    """`model`, with every token at its place in its own row: padding on the left does not count."""

    def scorer(*, attention_mask: torch.Tensor, **inputs: Any) -> Any:
        positions = (attention_mask.cumsum(1) - 1).clamp(min=0)  # (B, T)
        return model(attention_mask=attention_mask, position_ids=positions, **inputs)

    return scorer


def mean_pass_at_k(solved: dict[int, list[bool]], k: int) -> float:
    """The mean over problems. The last batch of an evaluation repeats problems: some have more than k completions."""
    judged = [rights for rights in solved.values() if len(rights) >= k]
    return sum(pass_at_k(len(rights), sum(rights), k) for rights in judged) / max(1, len(judged))
