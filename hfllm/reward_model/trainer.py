"""TRL's RewardTrainer on rankings: one row is a prompt with all its answers, and each ranking weighs the same.

The loss is equation 1 of InstructGPT (arXiv 2203.02155): the mean over rankings of the mean over their pairs of
-log sigmoid(score of the better answer - score of the worse one). With one pair a row it is TRL's own. A ranking that
was cut into rows counts as that many, which weigh 1 together: such rows make the loss smaller, logged as well."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from torch.nn.functional import logsigmoid
from trl import RewardConfig, RewardTrainer

from hfllm.reward_model.report import Judged, loss_and_accuracy
from hfllm.reward_model.scorer import padded

Batch = dict[str, torch.Tensor]
NO_ANSWER = -100.0  # fills the table of scores where a ranking has fewer answers; transformers pads with it too


@dataclass
class RankingCollator:
    """Rows of `rows.encode` as one batch of R rankings with N answers and P pairs in all."""

    pad_token_id: int

    def __call__(self, rows: list[dict[str, Any]]) -> Batch:
        answers = [ids for row in rows for ids in row["answers"]]
        input_ids, attention_mask = padded(answers, self.pad_token_id, torch.device("cpu"))  # (N, T)
        better, worse, weight = [], [], []
        first = 0  # the number of a ranking's first answer in the batch
        for row in rows:
            better += [first + number for number in row["better"]]
            worse += [first + number for number in row["worse"]]
            weight += [row["weight"] / len(row["better"])] * len(row["better"])
            first += len(row["answers"])
        return {
            "number": torch.tensor([row["number"] for row in rows]),  # (R,): which rows of the data set
            "counts": torch.tensor([len(row["answers"]) for row in rows]),  # (R,)
            "input_ids": input_ids,
            "attention_mask": attention_mask,
            "better": torch.tensor(better),  # (P,)
            "worse": torch.tensor(worse),  # (P,)
            "weight": torch.tensor(weight),  # (P,): the pairs of a ranking weigh 1 together
        }


class RankingTrainer(RewardTrainer):
    """`judge()` gives the scores of all held-out answers."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        tokenizer = kwargs["processing_class"]
        pad = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id  # as TRL chooses it
        super().__init__(*args, data_collator=RankingCollator(pad), **kwargs)
        self._judged: tuple[int, list[Judged]] | None = None  # the step, and what its evaluation found

    def _prepare_dataset(self, dataset: Dataset, processing_class: Any, args: RewardConfig, name: str) -> Dataset:
        return dataset.add_column("number", list(range(len(dataset))))

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = ["answers", "lengths", "better", "worse", "weight", "length", "number"]

    def compute_loss(
        self, model: Any, inputs: Batch, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        scores = self._scores(model, inputs)
        better, worse = scores[inputs["better"]], scores[inputs["worse"]]  # (P,)
        rankings = len(inputs["number"])
        loss = -(inputs["weight"] * logsigmoid(better - worse)).sum() / rankings
        if self.args.center_rewards_coefficient is not None:
            squares = (better + worse) ** 2
            loss = loss + self.args.center_rewards_coefficient * (inputs["weight"] * squares).sum() / rankings
        self._log_batch(scores.detach(), (better - worse).detach(), inputs)
        return (loss, {"logits": scores}) if return_outputs else loss

    def prediction_step(
        self, model: Any, inputs: Batch, prediction_loss_only: bool, ignore_keys: list[str] | None = None
    ) -> tuple[None, torch.Tensor, torch.Tensor]:
        """Scores as a table (R, most answers) and the rows' numbers (R,); the loss is reckoned when all are there."""
        inputs = self._prepare_inputs(inputs)
        with torch.no_grad(), self.compute_loss_context_manager():
            scores = self._scores(model, inputs)
        table = torch.nn.utils.rnn.pad_sequence(
            scores.float().split(inputs["counts"].tolist()), batch_first=True, padding_value=NO_ANSWER
        )
        return None, table, inputs["number"]

    def evaluation_loop(
        self,
        dataloader: Any,
        description: str,
        prediction_loss_only: bool | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> Any:
        output = super().evaluation_loop(dataloader, description, False, ignore_keys, metric_key_prefix)
        judged = _judged(dataloader.dataset, output.predictions, output.label_ids)
        self._judged = (self.state.global_step, judged)
        for name, value in loss_and_accuracy(judged).items():
            output.metrics[f"{metric_key_prefix}_{name}"] = value
        return output

    def judge(self) -> list[Judged]:
        """The held-out rankings with their scores by the model as it is now; every process has all of them."""
        current = self._judged is not None and self._judged[0] == self.state.global_step
        if not current or self.args.load_best_model_at_end:  # then the weights are those of another step
            self.evaluation_loop(self.get_eval_dataloader(), description="Judging")
        assert self._judged is not None
        return self._judged[1]

    def create_model_card(self, *args: Any, **kwargs: Any) -> None:
        """None at every checkpoint: the card is made from the receipt, when the stage has ended."""

    def _scores(self, model: Any, inputs: Batch) -> torch.Tensor:
        outputs = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False)
        return outputs.logits.squeeze(-1)  # (N,)

    def _log_batch(self, scores: torch.Tensor, margins: torch.Tensor, inputs: Batch) -> None:
        gather = self.accelerator.gather_for_metrics
        self._total_train_tokens += int(gather(inputs["attention_mask"].sum()).sum().item()) // self._tp_size
        metrics = self._metrics["train"]
        metrics["num_tokens"] = [self._total_train_tokens]
        right = torch.where(margins == 0, 0.5, (margins > 0).float())  # equal scores are half right, as in `report`
        rows = {"accuracy": right, "margin": margins, "mean_reward": scores}
        for name, values in rows.items():
            metrics[name].append(gather(values.mean()).mean().item())


def _judged(dataset: Dataset, table: Any, numbers: Any) -> list[Judged]:
    """The rows of a data set with their scores, in its order; `table` is (rankings, most answers)."""
    by_number = dict(zip(numbers.tolist(), table, strict=True))
    return [
        Judged(
            by_number[row["number"]][: len(row["lengths"])], row["lengths"], row["better"], row["worse"], row["weight"]
        )
        for row in dataset.select_columns(["number", "lengths", "better", "worse", "weight"])
    ]
