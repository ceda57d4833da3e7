"""Documents as one long row of token ids on disk, memory-mapped: written once, read at any place for nothing.

A shard is three files, readable by datatrove and nanotron, and a manifest that is written last:
    train.ds            the ids, uint16, or uint32 when the vocabulary has more than 65,536 entries
    train.ds.index      where each document ends, uint64, in tokens
    train.ds.metadata   tokenizer and token count, for datatrove
    train.ds.json       what it was made from (tokenizer, text, settings), counts, checksum

Each document is stored as <|bos|> ids <|eos|>, as far as the tokenizer has them. A shard whose manifest is missing
or does not fit is written again: a half-written one is never read. Layout: datatrove, pipeline/tokens/tokenizer.py."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hfllm import progress

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase

DOCUMENTS_AT_ONCE = 1000  # in memory while they are encoded
CHECKSUM_BYTES = 1 << 24  # read at once while the checksum is compared

Encoder = Callable[[list[str]], Sequence[Any]]


@dataclass(frozen=True)
class Vocabulary:
    """What the ids in a shard mean: size, ids of the document marks (None: not used), hash of the whole tokenizer."""

    size: int
    bos: int | None
    eos: int | None
    fingerprint: str

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint16 if self.size <= 1 << 16 else np.uint32)

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
        fingerprint = digest(tokenizer.backend_tokenizer.to_str())
        return cls(len(tokenizer), tokenizer.bos_token_id, tokenizer.eos_token_id, fingerprint)


@dataclass(frozen=True)
class Manifest:
    """The last file of a shard to be written. `origin` is what must be equal for the shard to be used again."""

    origin: dict[str, Any]
    dtype: str
    documents: int
    tokens: int  # with the document marks
    text_bytes: int  # of the documents in UTF-8
    checksum: str  # blake2b of the .ds file


class TokenShard:
    """A finished shard: `tokens` (all ids in a row) and `ends` (one a document), both memory-mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.manifest = Manifest(**json.loads(path.with_name(path.name + ".json").read_text()))
        self.tokens = np.memmap(path, dtype=self.manifest.dtype, mode="r")  # (tokens,)
        self.ends = np.memmap(path.with_name(path.name + ".index"), dtype=np.uint64, mode="r")  # (documents,)

    def __reduce__(self) -> tuple[type[TokenShard], tuple[Path]]:
        return TokenShard, (self.path,)  # a data loader's worker maps the file itself; the default would copy all ids

    def document_bounds(self) -> tuple[np.ndarray, np.ndarray]:
        """Start and length of every document in tokens, int64."""
        ends = self.ends.astype(np.int64)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
        return starts, ends - starts


class ShardWriter:
    """Writes one shard: `add` batches of encoded documents, then `close`."""

    def __init__(self, path: Path, vocabulary: Vocabulary, origin: dict[str, Any]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        side_file(path, ".json").unlink(missing_ok=True)  # from here until `close` there is no valid shard
        self.path, self.vocabulary, self.origin = path, vocabulary, origin
        self.tokens_file, self.index_file = path.open("wb"), side_file(path, ".index").open("wb")
        self.hash = hashlib.blake2b(digest_size=16)
        self.documents = self.tokens = self.text_bytes = 0

    def add(self, texts: list[str], encoded: Sequence[Sequence[int]]) -> None:
        """Append `encoded`, the ids of each of `texts`, with the document marks around them."""
        if not texts:
            return
        ids, lengths = self.with_marks(encoded)
        data = ids.tobytes()
        self.tokens_file.write(data)
        self.hash.update(data)
        ends = self.tokens + np.cumsum(lengths, dtype=np.uint64)
        self.index_file.write(ends.astype(np.uint64).tobytes())
        self.documents += len(texts)
        self.tokens += len(ids)
        self.text_bytes += sum(len(text.encode()) for text in texts)

    def with_marks(self, encoded: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
        """[[5], [6, 7]] with bos 1, eos 2 -> ids 1 5 2 1 6 7 2 and lengths 3, 4."""
        before, after = (
            np.array([] if mark is None else [mark]) for mark in (self.vocabulary.bos, self.vocabulary.eos)
        )
        lengths = np.array([len(ids) + len(before) + len(after) for ids in encoded])
        parts = [part for ids in encoded for part in (before, ids, after) if len(part)]
        return np.concatenate(parts, dtype=self.vocabulary.dtype, casting="unsafe"), lengths  # ids fit: see Vocabulary

    def close(self) -> TokenShard:
        for file in (self.tokens_file, self.index_file):
            file.flush()
            os.fsync(file.fileno())
            file.close()
        dtype = self.vocabulary.dtype
        name = f"{self.vocabulary.fingerprint}|{dtype.itemsize}"
        side_file(self.path, ".metadata").write_text(f"{name}\n{self.tokens}\n{self.tokens / 1e6:.1f} MT")
        manifest = Manifest(
            self.origin, dtype.name, self.documents, self.tokens, self.text_bytes, self.hash.hexdigest()
        )
        unfinished = side_file(self.path, ".json.unfinished")
        unfinished.write_text(json.dumps(asdict(manifest), indent=2))
        unfinished.replace(side_file(self.path, ".json"))
        return TokenShard(self.path)


def find(path: Path, origin: dict[str, Any]) -> TokenShard | None:
    """The shard at `path` if it is whole and was made from `origin`; None when it must be written."""
    manifest_file = side_file(path, ".json")
    if not manifest_file.is_file():
        return None
    manifest = Manifest(**json.loads(manifest_file.read_text()))
    if manifest.origin != origin or manifest.tokens == 0:
        return None
    if not path.is_file() or not side_file(path, ".index").is_file() or file_checksum(path) != manifest.checksum:
        print(f"{path}: does not match its manifest any more; writing it again")
        return None
    return TokenShard(path)


def write(
    folder: Path,
    dataset: Dataset,
    encode: Encoder,
    vocabulary: Vocabulary,
    origins: dict[str, dict[str, Any]],
    name_of: Callable[[str], str],
) -> dict[str, TokenShard | None]:
    """Encode the column `text` of `dataset` into one shard for each name in `origins`.

    `name_of(text)` says into which one a document goes. A shard without a document is None."""
    writers = {name: ShardWriter(folder / f"{name}.ds", vocabulary, origin) for name, origin in origins.items()}
    done = 0
    for texts in text_batches(dataset):
        groups = {name: [text for text in texts if name_of(text) == name] for name in writers}
        for name, group in groups.items():
            writers[name].add(group, encode(group) if group else [])
        done += len(texts)
        progress.report(min(done, len(dataset)), len(dataset), "documents encoded")
    progress.report(len(dataset), len(dataset), "documents encoded")
    shards = {name: (writer.close() if writer.documents else None) for name, writer in writers.items()}
    return shards


def text_batches(dataset: Dataset) -> Iterable[list[str]]:
    """The documents that are not empty, some at a time: the rest of the data set stays on disk."""
    for rows in dataset.iter(batch_size=DOCUMENTS_AT_ONCE):
        yield [text for text in rows["text"] if text]


def held_out(text: str, share: float) -> bool:
    """Whether this document is held out, decided by its text alone: copies of a document stay on one side."""
    number = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    return number < share * 2**64


def digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_checksum(path: Path) -> str:
    checksum = hashlib.blake2b(digest_size=16)
    with path.open("rb") as file:
        while data := file.read(CHECKSUM_BYTES):
            checksum.update(data)
    return checksum.hexdigest()


def side_file(path: Path, suffix: str) -> Path:
    """train.ds -> train.ds.index"""
    return path.with_name(path.name + suffix)
