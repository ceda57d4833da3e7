"""Tokenizer: learn which pieces of text become one token.

    accelerate launch -m hfllm.stages.tokenizer recipes/tiny/tokenizer.yaml

Reads data sets with a `text` column; writes a tokenizer folder that `AutoTokenizer` loads, with a chat template, a
tiktoken export for encoding in bulk, and sample.html, a held-out text in colours. One document in fifty is held out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hfllm import data, progress, recipe
from hfllm.errors import UserMistake
from hfllm.tokenizing import bpe, bpe_training, tokens

if TYPE_CHECKING:
    from datasets import Dataset

HOLD_OUT_EVERY = 50  # documents
MEASURED_CHARACTERS = 2_000_000  # of each data set: enough for three digits of bytes per token, seconds to encode
SAMPLE_CHARACTERS = 3_000
BATCH_DOCUMENTS = 100

CHECK_COLUMNS = data.check_text_column


@dataclass
class TokenizerConfig:
    """What to learn from, and how many tokens."""

    output_dir: str = field(metadata={"help": "Folder that is written."})
    datasets: list[data.DatasetConfig] = field(metadata={"help": "Data sets with a `text` column."})
    vocab_size: int = field(
        default=32_768,
        metadata={"help": "Number of tokens, with the special ones: a multiple of 64, for fast kernels."},
    )
    pattern: Literal["cl100k", "gpt2"] = field(
        default="cl100k", metadata={"help": "Where text may be cut into tokens: as GPT-4 does, or as GPT-2 did."}
    )
    max_digits: int | None = field(
        default=None,
        metadata={"help": "Longest run of digits in a token (cl100k); null: 2 up to 32,768 tokens, 3 above."},
    )
    max_training_characters: int = field(
        default=2_000_000_000, metadata={"help": "Learn from at most so much text, taken evenly from all data sets."}
    )
    reserved_tokens: int = field(default=5, metadata={"help": "Spare special tokens, <|reserved_0|> and so on."})
    model_type: str = field(
        default="qwen3", metadata={"help": "Model it is for: beside its config, AutoTokenizer must give the same ids."}
    )


def main(config: TokenizerConfig) -> dict[str, Any]:
    """Train, save, check, measure; the numbers are those of the card."""
    _refuse_impossible_sizes(config)
    datasets = data.text_datasets(config.datasets)
    held_out: dict[str, list[str]] = {}  # by the name of the data set
    for dataset, rows in zip(config.datasets, datasets, strict=True):
        held_out.setdefault(dataset.place, []).extend(_held_out(dataset.place, rows))
    texts = [text for some in held_out.values() for text in some]

    max_digits = config.max_digits or bpe_training.default_max_digits(config.vocab_size)
    pattern = bpe_training.split_pattern(config.pattern, max_digits)
    batches = _training_batches(datasets, config.max_training_characters)
    tokenizer = bpe_training.train(batches, config.vocab_size, pattern, config.reserved_tokens)
    bpe_training.save(tokenizer, config.output_dir)
    bpe_training.check(config.output_dir, texts)
    bpe.check_reload(config.output_dir, config.model_type, [text[:SAMPLE_CHARACTERS] for text in texts[:20]])
    sample = tokens.page(texts[0][:SAMPLE_CHARACTERS], [config.output_dir])
    (Path(config.output_dir) / "sample.html").write_text(sample, encoding="utf-8")

    return {"vocab_size": config.vocab_size, **_measure(config.output_dir, held_out), **_vocabulary(config.output_dir)}


def _refuse_impossible_sizes(config: TokenizerConfig) -> None:
    if config.max_digits is not None and config.max_digits < 1:
        raise UserMistake(
            f"max_digits {config.max_digits}: expected 1 or more, or null: 2 up to 32,768 tokens, 3 above."
        )
    smallest = 256 + len(bpe_training.all_special_tokens(config.reserved_tokens))
    if config.vocab_size % 64 or config.vocab_size < smallest:
        size = math.ceil(max(config.vocab_size, smallest) / 64) * 64
        raise UserMistake(
            f"vocab_size {config.vocab_size}: expected a multiple of 64, at least {smallest}.\n"
            f"  to mend it, write   vocab_size: {size}"
        )


def _held_out(place: str, rows: Dataset) -> list[str]:
    """Every fiftieth document, at most two million characters; the last one of a handful of documents."""
    if len(rows) < 2:
        raise UserMistake(f"data set {place}: one document only; give two, one to learn from and one to measure on.")
    texts: list[str] = []
    for index in _held_out_indices(len(rows)):
        texts.append(rows[index]["text"])
        if sum(map(len, texts)) > MEASURED_CHARACTERS:
            break
    return texts


def _held_out_indices(documents: int) -> range:
    return range(min(HOLD_OUT_EVERY, documents) - 1, documents, HOLD_OUT_EVERY)


def _training_batches(datasets: list[Dataset], max_characters: int) -> Iterator[list[str]]:
    """The documents that are not held out, or an even share of them if they are more than `max_characters`."""
    share = min(1.0, max_characters / sum(map(_estimated_characters, datasets)))
    total, done = sum(map(len, datasets)), 0
    for rows in datasets:
        held_out = _held_out_indices(len(rows))
        for start in range(0, len(rows), BATCH_DOCUMENTS):
            texts = rows[start : start + BATCH_DOCUMENTS]["text"]
            taken = (index for index in range(start, start + len(texts)) if index not in held_out)
            yield [texts[index - start] for index in taken if int((index + 1) * share) > int(index * share)]
            done += len(texts)
            progress.report(done, total, "reading" if done < total else "merging")


def _estimated_characters(rows: Dataset) -> float:
    sample = rows[:: max(1, len(rows) // 1000)]["text"]
    return max(1, sum(map(len, sample))) / len(sample) * len(rows)


def _measure(folder: str, held_out: dict[str, list[str]]) -> dict[str, Any]:
    """Bytes per token on held-out text: of each data set, and of all together."""
    encode = bpe.bulk_encoder(folder)
    bytes_of = {place: sum(len(text.encode()) for text in texts) for place, texts in held_out.items()}
    tokens_of = {place: sum(map(len, encode(texts))) for place, texts in held_out.items()}
    return {
        "held_out_bytes": sum(bytes_of.values()),
        "bytes_per_token": round(sum(bytes_of.values()) / sum(tokens_of.values()), 3),
        "bytes_per_token_of": {place: round(bytes_of[place] / tokens_of[place], 3) for place in held_out},
    }


def _vocabulary(folder: str) -> dict[str, list[str]]:
    """The longest words among the tokens, and the tokens learned last: they show what the text was like."""
    tokenizer = bpe.load(folder)
    learned = range(256, tokenizer.get_vocab_size() - len(bpe.special_tokens(tokenizer)))
    words = {text for text in (tokenizer.decode([id]) for id in learned) if text.strip().isalpha()}
    return {
        "longest_tokens": sorted(words, key=lambda text: (-len(text), text))[:20],
        "last_tokens": [tokenizer.decode([id]) for id in learned[-20:]],
    }


if __name__ == "__main__":
    recipe.run(main)
