"""From text to training rows: token shards against `datasets.map` as run_clm.py does it, turn by turn in CPU-seconds.

    python -m tests.bench.encode_and_pack [--text FILE_OR_FOLDER] [--tokenizer FOLDER] [--rounds 3]

Both read the same documents and tokenizer and end with rows of 1,024 ids that a Trainer can take; reading the text file
itself is outside of both clocks. The peer: two `datasets.map` calls, tokenize and group_texts, as in transformers'
examples/pytorch/language-modeling/run_clm.py (grouping with itertools.chain, as it stands since 4.12).
The project's own limit is a ratio of 5."""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from itertools import chain
from pathlib import Path
from typing import Any

from datasets import Dataset, disable_progress_bars
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from hfllm import data
from hfllm.pretraining import shards
from hfllm.pretraining.packing import TokenBlocks
from hfllm.tokenizing import bpe

BLOCK_LENGTH = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", default="runs/tiny/world/documents")
    parser.add_argument("--tokenizer", default="runs/tiny/tokenizer")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    disable_progress_bars()
    texts = data.texts([data.DatasetConfig(options.text)])
    tokenizer = AutoTokenizer.from_pretrained(options.tokenizer)
    megabytes = sum(len(text.encode()) for text in texts["text"]) / 1e6
    print(f"{len(texts):,} documents, {megabytes:.1f} MB")
    ratios = []
    for number in range(options.rounds):
        with tempfile.TemporaryDirectory() as folder:
            peer = map_seconds(texts, tokenizer, Path(folder))
            ours = shard_seconds(texts, tokenizer, options.tokenizer, Path(folder))
        ratios.append(peer / ours)
        print(
            f"round {number + 1}: datasets.map {megabytes / peer:.2f}, shards {megabytes / ours:.2f} MB a CPU-second",
            flush=True,
        )
    spread = f"{min(ratios):.1f} to {max(ratios):.1f}"
    print(f"datasets.map / shards, CPU-seconds: {statistics.median(ratios):.1f} (median; {spread})")


def shard_seconds(texts: Dataset, tokenizer: PreTrainedTokenizerBase, name: str, folder: Path) -> float:
    started = time.process_time()
    vocabulary = shards.Vocabulary.of(tokenizer)
    written = shards.write(folder, texts, bpe.bulk_encoder(name), vocabulary, {"train": {}}, lambda text: "train")
    assert written["train"] is not None
    rows = TokenBlocks(written["train"], "concat", BLOCK_LENGTH)
    assert len(rows[0]["input_ids"]) == BLOCK_LENGTH
    return time.process_time() - started


def map_seconds(texts: Dataset, tokenizer: PreTrainedTokenizerBase, folder: Path) -> float:
    started = time.process_time()

    def tokenize(examples: dict[str, list[str]]) -> Any:
        return tokenizer(examples["text"])

    def group_texts(examples: dict[str, list[list[int]]]) -> dict[str, list[list[int]]]:
        joined = {name: list(chain(*column)) for name, column in examples.items()}
        total = len(joined["input_ids"]) // BLOCK_LENGTH * BLOCK_LENGTH
        result = {
            name: [ids[start : start + BLOCK_LENGTH] for start in range(0, total, BLOCK_LENGTH)]
            for name, ids in joined.items()
        }
        result["labels"] = result["input_ids"].copy()
        return result

    tokenized = texts.map(
        tokenize, batched=True, remove_columns=["text"], cache_file_name=str(folder / "tokenized.arrow")
    )
    grouped = tokenized.map(group_texts, batched=True, cache_file_name=str(folder / "grouped.arrow"))
    assert len(grouped[0]["input_ids"]) == BLOCK_LENGTH
    return time.process_time() - started


if __name__ == "__main__":
    main()
