"""TRL's DPOTrainer on pairs that are encoded already (`pairs.encode`)."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trl import DPOTrainer

if TYPE_CHECKING:
    from datasets import Dataset

# those of TRL 1.16, and `length`, which the sampler reads (train_sampling_strategy: group_by_length)
COLUMNS = ["prompt_ids", "chosen_ids", "rejected_ids", "ref_chosen_logps", "ref_rejected_logps", "length"]


class PairTrainer(DPOTrainer):
    """In an evaluation every pair counts once: TRL 1.16 takes the mean over batches, whatever their size.

    A folder holds the trained adapter alone, without the copy that TRL compares it with: a run that goes on makes that
    copy anew from where it started."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset

    def _set_signature_columns_if_needed(self) -> None:
        self._signature_columns = COLUMNS

    def prediction_step(self, model: Any, inputs: dict[str, Any], *rest: Any, **options: Any) -> Any:
        step = super().prediction_step(model, inputs, *rest, **options)
        pairs = len(inputs["input_ids"]) // 2
        for values in self._metrics["eval"].values():  # `log` takes the mean of each list
            values += values[-1:] * (pairs - 1)
        return step

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        super()._save(output_dir, state_dict)
        copy = Path(output_dir or self.args.output_dir, "ref")
        if (copy / "adapter_config.json").is_file():
            shutil.rmtree(copy)
