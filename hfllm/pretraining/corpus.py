"""From the data sets of a recipe to two token shards: text to train on and text to be measured on.

    text = corpus.prepare(folder, data_args, held_out_share, tokenizer, "runs/tiny/tokenizer", args)

Shards that were made from the same text with the same tokenizer are used again; nothing is loaded then. With several
machines, `folder` must lie on a disk that all of them see: the first process writes, the others wait for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm import data
from hfllm.errors import UserMistake
from hfllm.pretraining import shards
from hfllm.pretraining.shards import TokenShard, Vocabulary
from hfllm.tokenizing import bpe

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, TrainingArguments

    from hfllm.data import DatasetConfig, DatasetMixtureConfig

Origins = dict[str, dict[str, Any]]


@dataclass
class Corpus:
    """Two shards; `heldout` is None when the recipe holds nothing out."""

    train: TokenShard
    heldout: TokenShard | None

    @property
    def bytes_per_token(self) -> float:
        """Of the training text, document marks included in the tokens."""
        return self.train.manifest.text_bytes / self.train.manifest.tokens

    def summary(self) -> str:
        lines = [counts("text", self.train)]
        lines += [counts("held out", self.heldout)] if self.heldout else ["held out: nothing"]
        return "\n".join(lines)


def counts(name: str, shard: TokenShard) -> str:
    """text: 4,000 documents, 1,234,567 tokens, 4.1 MB, 3.21 bytes a token"""
    made = shard.manifest
    size = f"{made.text_bytes / 1e6:.1f} MB, {made.text_bytes / made.tokens:.2f} bytes a token"
    return f"{name}: {made.documents:,} documents, {made.tokens:,} tokens, {size}"


def prepare(
    folder: Path,
    data_args: DatasetMixtureConfig,
    held_out_share: float,
    tokenizer: PreTrainedTokenizerBase,
    tokenizer_name: str,
    args: TrainingArguments,
) -> Corpus:
    """The shards in `folder`, written if need be. Raises UserMistake when there is no text to train on."""
    vocabulary = Vocabulary.of(tokenizer)
    with args.main_process_first(local=False, desc="token shards"):
        if data_args.eval_datasets:
            train = from_datasets(folder, "train", data_args.datasets, vocabulary, tokenizer_name)
            heldout = from_datasets(folder, "heldout", data_args.eval_datasets, vocabulary, tokenizer_name)
        else:
            train, heldout = divided(folder, data_args.datasets, held_out_share, vocabulary, tokenizer_name)
    if train is None:
        raise UserMistake("datasets: there is no text to train on.")
    return Corpus(train, heldout)


def from_datasets(
    folder: Path, name: str, configs: list[DatasetConfig], vocabulary: Vocabulary, tokenizer_name: str
) -> TokenShard | None:
    """All documents of `configs` as one shard."""
    origins = {name: origin(configs, vocabulary)}
    return find_or_write(folder, origins, configs, vocabulary, tokenizer_name, 0.0)[name]


def divided(
    folder: Path, configs: list[DatasetConfig], share: float, vocabulary: Vocabulary, tokenizer_name: str
) -> tuple[TokenShard | None, TokenShard | None]:
    """The documents of `configs` in two shards, about `share` of them held out by a hash of their text."""
    common = origin(configs, vocabulary) | {"held_out_share": share}
    names = ["train", "heldout"] if share else ["train"]
    origins = {name: common | {"part": name} for name in names}
    found = find_or_write(folder, origins, configs, vocabulary, tokenizer_name, share)
    return found["train"], found.get("heldout")


def find_or_write(
    folder: Path,
    origins: Origins,
    configs: list[DatasetConfig],
    vocabulary: Vocabulary,
    tokenizer_name: str,
    share: float,
) -> dict[str, TokenShard | None]:
    """The shards that fit `origins`, from disk if all of them are there."""
    found = {name: shards.find(folder / f"{name}.ds", wanted) for name, wanted in origins.items()}
    if all(found.values()):
        return found
    dataset: Dataset = data.texts(configs)
    first = next(iter(origins))

    def name_of(text: str) -> str:
        return "heldout" if share and shards.held_out(text, share) else first

    return shards.write(folder, dataset, bpe.bulk_encoder(tokenizer_name), vocabulary, origins, name_of)


def origin(configs: list[DatasetConfig], vocabulary: Vocabulary) -> dict[str, Any]:
    """What a shard's content depends on, as plain JSON."""
    return {"vocabulary": asdict(vocabulary), "source": shards.digest(repr(data.fingerprint(configs)))}
