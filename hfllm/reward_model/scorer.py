"""What does a reward model say of an answer? Usable as a reward function of any TRL trainer.

    judge = RewardModel("runs/tiny/reward", normalised=True)
    GRPOTrainer(..., reward_funcs=[judge])

It brings its own tokenizer and chat template, so that policy and reward model may have different ones. A LoRA adapter
is merged into its base. A folder with member-0, member-1, ... is an ensemble (Coste et al., arXiv 2310.02743): its
members are compared in z-scores, because the scores of two reward models have no common zero."""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfllm import models, quiet
from hfllm.errors import UserMistake
from hfllm.reward_model.layout import Conversation, joined, token_ids

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

FILE = "reward_model.json"  # what the stage reward writes beside the weights
ROWS, TOKENS = 32, 16_384  # at most, padding counted, in one forward pass

Aggregate = Literal["mean", "min", "uwo"]


@dataclass(frozen=True)
class Member:
    """One reward model. `mean` and `spread` (standard deviation) are those of its scores on held-out answers."""

    name: str  # folder or Hub id
    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    mean: float
    spread: float


class RewardModel:
    """Scores of conversations; the weights are loaded at the first question, on the device of this process.

    `aggregate` is for ensembles: `mean`, the lowest (`min`), or the mean less the members' standard deviation (`uwo`;
    Coste et al. subtract a multiple of the variance). `normalised` gives z-scores: 0 is the mean and 1 the spread of
    held-out answers; those of an ensemble are always z-scores."""

    def __init__(self, name_or_path: str, aggregate: Aggregate = "mean", *, normalised: bool = False) -> None:
        self.name_or_path = os.path.expanduser(name_or_path)
        self.aggregate = aggregate
        self.normalised = normalised
        self.__name__ = Path(name_or_path).name  # TRL logs rewards by name
        self.members: list[Member] = []

    def __call__(
        self, prompts: Sequence[Conversation], completions: Sequence[Conversation], **columns: Any
    ) -> list[float]:
        """TRL's signature of a reward: one score a completion."""
        return self.scores([joined(*pair) for pair in zip(prompts, completions, strict=True)])

    def scores(self, conversations: Sequence[Conversation]) -> list[float]:
        """One number a conversation (its messages, or a whole text): the higher, the better liked."""
        if not self.members:
            self.members = [load(folder) for folder in folders(self.name_or_path)]
        found = [_scores(member, conversations) for member in self.members]
        if len(found) == 1 and not self.normalised:
            return found[0]
        standard = [
            z_scores(scores, member.mean, member.spread, member.name)
            for member, scores in zip(self.members, found, strict=True)
        ]
        return [together(list(views), self.aggregate) for views in zip(*standard, strict=True)]


def z_scores(scores: Sequence[float], mean: float, spread: float, name: str) -> list[float]:
    """z_scores([1.0, 5.0], mean=3.0, spread=2.0, name="runs/reward") == [-1.0, 1.0]

    Raises UserMistake, with the model's `name`, where the spread is 0."""
    _refuse_no_spread(spread, name)
    return [(score - mean) / spread for score in scores]


def _refuse_no_spread(spread: float, name: str) -> None:
    if spread == 0:
        raise UserMistake(
            f"reward model {name}: it gives every held-out answer the same score, so there are no z-scores.\n"
            "  to mend it, train it longer (max_steps, num_train_epochs) or with another learning_rate"
        )


def together(views: list[float], aggregate: Aggregate) -> float:
    """together([1.0, 3.0], "uwo") == 1.0 : the mean 2 less the standard deviation 1"""
    match aggregate:
        case "mean":
            return statistics.fmean(views)
        case "min":
            return min(views)
        case "uwo":
            return statistics.fmean(views) - statistics.pstdev(views)


def folders(name_or_path: str) -> list[str]:
    """The members of an ensemble, or the model itself."""
    found = sorted(Path(name_or_path).glob("member-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))
    return [str(folder) for folder in found] or [name_or_path]


def check(name_or_path: str, *, normalised: bool = False) -> None:
    """Raises UserMistake when there is no such folder or Hub id, or no mean and spread in it where they are needed."""
    paths = [models.find_model(folder) for folder in folders(os.path.expanduser(name_or_path))]
    here = [path for path in paths if Path(path).is_dir()] if normalised or len(paths) > 1 else []
    if any(not Path(path, FILE).exists() for path in here):
        raise UserMistake(
            f"reward model {name_or_path!r}: no {FILE} with the mean and spread of its scores, so there are no "
            "z-scores; remove  normalised:  or train it with the stage reward"
        )
    for path in here:
        _refuse_no_spread(saved(path).get("spread", 1.0), path)


def load(name_or_path: str) -> Member:
    """A model with one output, on the device of this process, with its tokenizer."""
    from accelerate import PartialState
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    device = PartialState().device
    options = {"num_labels": 1, "dtype": "float32" if device.type == "cpu" else "auto", "use_safetensors": True}
    if models.adapter_base(name_or_path) is None:
        model = AutoModelForSequenceClassification.from_pretrained(name_or_path, **options)
    else:
        model = merged_adapter(name_or_path, **options)
    tokenizer = AutoTokenizer.from_pretrained(name_or_path)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.get_text_config().pad_token_id = tokenizer.pad_token_id  # the score is read before the padding
    model.config.use_cache = False  # encoders do not take it as an argument
    numbers = saved(name_or_path)
    mean, spread = numbers.get("mean", 0.0), numbers.get("spread", 1.0)
    return Member(name_or_path, model.to(device).eval(), tokenizer, mean, spread)


def merged_adapter(name_or_path: str, **options: Any) -> PreTrainedModel:
    """The sequence classification model that an adapter makes of its base, which lacks the score head it brings."""
    from peft import AutoPeftModelForSequenceClassification

    with quiet.about("transformers.modeling_utils", "score.weight"):  # it would be called newly initialized
        return AutoPeftModelForSequenceClassification.from_pretrained(name_or_path, **options).merge_and_unload()


def saved(name_or_path: str) -> dict[str, Any]:
    """What the stage reward wrote of a model; empty for a model that was trained elsewhere."""
    from transformers.utils import cached_file

    file = cached_file(name_or_path, FILE, _raise_exceptions_for_missing_entries=False)
    return json.loads(Path(file).read_text(encoding="utf-8")) if file else {}


def _scores(member: Member, conversations: Sequence[Conversation]) -> list[float]:
    import torch

    encoded = [_cut(token_ids(conversation, member.tokenizer), member.model) for conversation in conversations]
    found = [0.0] * len(encoded)
    for numbers in batches([len(ids) for ids in encoded]):
        ids, mask = padded([encoded[number] for number in numbers], member.tokenizer.pad_token_id, member.model.device)
        with torch.no_grad():
            logits = member.model(input_ids=ids, attention_mask=mask).logits  # (B, 1)
        for number, score in zip(numbers, logits[:, 0].float().tolist(), strict=True):
            found[number] = score
    return found


def batches(lengths: list[int]) -> list[list[int]]:
    """The numbers of the rows, longest first (what does not fit into memory fails at once), like lengths together."""
    made: list[list[int]] = []
    width = 0
    for number in sorted(range(len(lengths)), key=lambda row: -lengths[row]):
        if not made or len(made[-1]) == ROWS or (len(made[-1]) + 1) * width > TOKENS:
            made.append([])
            width = lengths[number]
        made[-1].append(number)
    return made


def padded(rows: list[list[int]], pad: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, both (B, T), padded on the right: positions count from the first own token."""
    import torch

    width = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (width - len(row)) for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask


def _cut(ids: list[int], model: PreTrainedModel) -> list[int]:
    """The end of what is longer than the model's context: the answer stands there, and the score is read there."""
    positions = model.config.get_text_config().to_dict().get("max_position_embeddings")
    return ids if positions is None else ids[-positions:]
