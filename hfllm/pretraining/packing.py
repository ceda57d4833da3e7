"""How documents of many lengths fill training rows of one length. A torch `Dataset` over a token shard.

    concat     all documents in a row, cut every `block_size` tokens: nothing lost but the tail
    best_fit   every row starts with a document; the longest that still fits comes next, and when none fits the
               shortest is cropped: no torn beginnings, at the price of the cropped tokens (nanochat, dataloader.py)
    split      documents longer than a row are cut, the pieces packed best-fit-decreasing: nothing lost, some padding

A row is a list of slices of the shard, so reading it costs a few memory copies."""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
import torch
from torch.utils.data import Dataset

from hfllm.errors import UserMistake
from hfllm.labels import IGNORED

if TYPE_CHECKING:
    from hfllm.pretraining.shards import TokenShard

Packing = Literal["concat", "best_fit", "split"]
BUFFER_DOCUMENTS = 1000  # best_fit chooses among this many (nanochat's buffer)

Slice = tuple[int, int]  # start in the shard, length


class Rows(Protocol):
    """Which tokens each row takes. `lost` and `padded` are shares of the shard's tokens and of the rows' tokens."""

    lost: float
    padded: float

    def __len__(self) -> int: ...

    def slices(self, row: int) -> list[Slice]: ...


class ConcatRows:
    """Row i is tokens [i * T, (i + 1) * T); with `by_document` its slices end where documents end."""

    padded = 0.0

    def __init__(self, shard: TokenShard, block_size: int, by_document: bool) -> None:
        self.ends = shard.ends if by_document else np.zeros(0, dtype=np.uint64)
        self.block_size = block_size
        self.rows = len(shard.tokens) // block_size
        self.lost = 1 - self.rows * block_size / len(shard.tokens)

    def __len__(self) -> int:
        return self.rows

    def slices(self, row: int) -> list[Slice]:
        start, end = row * self.block_size, (row + 1) * self.block_size
        first, last = np.searchsorted(self.ends, [start, end], side="right")
        inner = [cut for cut in self.ends[first:last].tolist() if cut < end]
        cuts = [start, *inner, end]
        return [(low, high - low) for low, high in itertools.pairwise(cuts)]


@dataclass
class ListedRows:
    """Rows that were planned beforehand: row i takes the slices numbered [first[i], first[i + 1])."""

    first: np.ndarray  # (rows + 1,)
    starts: np.ndarray  # (slices,)
    lengths: np.ndarray  # (slices,)
    lost: float
    padded: float

    def __len__(self) -> int:
        return len(self.first) - 1

    def slices(self, row: int) -> list[Slice]:
        chosen = slice(self.first[row], self.first[row + 1])
        return list(zip(self.starts[chosen].tolist(), self.lengths[chosen].tolist(), strict=True))


def listed_rows(rows: list[list[Slice]], tokens: int, block_size: int) -> ListedRows:
    """Turn planned rows into arrays; `tokens` is what the shard holds."""
    first = np.cumsum([0, *(len(row) for row in rows)])
    starts = np.array([start for row in rows for start, _ in row], dtype=np.int64)
    lengths = np.array([length for row in rows for _, length in row], dtype=np.int64)
    used, room = int(lengths.sum()), max(1, len(rows) * block_size)
    return ListedRows(first, starts, lengths, lost=1 - used / tokens, padded=1 - used / room)


def best_fit_rows(starts: np.ndarray, lengths: np.ndarray, block_size: int) -> list[list[Slice]]:
    """Rows that start with a document and are full: documents of 3, 2, 4 tokens in rows of 4 -> [4], [3, 1 of 2]."""
    documents = iter(zip(lengths.tolist(), starts.tolist(), strict=True))
    buffer: list[Slice] = []  # (length, start), sorted
    rows: list[list[Slice]] = []
    while True:
        row, room = [], block_size
        while room:
            while len(buffer) < BUFFER_DOCUMENTS and (document := next(documents, None)):
                bisect.insort(buffer, document)
            if not buffer:
                return rows  # the last row is not full: its tokens count as lost
            fitting = bisect.bisect_right(buffer, (room, np.inf)) - 1
            length, start = buffer.pop(max(fitting, 0))  # none fits: crop the shortest
            row.append((start, min(length, room)))
            room -= min(length, room)
        rows.append(row)


def split_rows(starts: np.ndarray, lengths: np.ndarray, block_size: int) -> list[list[Slice]]:
    """Best-fit-decreasing of pieces of at most a row: documents of 5, 3 tokens in rows of 4 -> [4], [3, 1]."""
    pieces = [
        (start + offset, min(block_size, length - offset))
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
        for offset in range(0, length, block_size)
    ]
    rows: list[list[Slice]] = []
    by_room: dict[int, list[int]] = {}  # free tokens -> rows that have as many
    rooms: list[int] = []  # the keys of by_room, sorted
    for piece in sorted(pieces, key=lambda piece: -piece[1]):
        at = bisect.bisect_left(rooms, piece[1])
        if at == len(rooms):
            row, room = len(rows), block_size
            rows.append([])
        else:
            room = rooms[at]
            row = by_room[room].pop()
            if not by_room[room]:
                del by_room[room], rooms[at]
        rows[row].append(piece)
        left = room - piece[1]
        if left and left not in by_room:
            bisect.insort(rooms, left)
        if left:
            by_room.setdefault(left, []).append(row)
    return rows


def plan(shard: TokenShard, packing: Packing, block_size: int, by_document: bool = False) -> Rows:
    """The rows of `shard`. Raises UserMistake when its text does not fill one."""
    tokens = len(shard.tokens)
    if packing != "split" and tokens < block_size:
        raise UserMistake(
            f"{shard.path}: the text has {tokens:,} tokens, less than one row of block_size: {block_size:,}.\n"
            "  to mend it: more text, or a smaller block_size"
        )
    match packing:
        case "concat":
            return ConcatRows(shard, block_size, by_document)
        case "best_fit":
            return listed_rows(best_fit_rows(*shard.document_bounds(), block_size), tokens, block_size)
        case "split":
            return listed_rows(split_rows(*shard.document_bounds(), block_size), tokens, block_size)


class TokenBlocks(Dataset):
    """Rows of `block_size` ids for a Trainer: `input_ids`, equal `labels` (the model shifts them).

    With `mask_documents` also `position_ids` that start at 0 in every document: without an attention mask, and with
    use_cache False, transformers reads them as "attend inside the document only" (masking_utils.py)."""

    def __init__(
        self, shard: TokenShard, packing: Packing, block_size: int, mask_documents: bool = False, pad_id: int = 0
    ) -> None:
        self.shard, self.packing, self.block_size = shard, packing, block_size
        self.mask_documents, self.pad_id = mask_documents, pad_id
        self.rows = plan(shard, packing, block_size, by_document=mask_documents)

    def __len__(self) -> int:
        return len(self.rows)

    def summary(self) -> str:
        """rows: 1,205 of 128 tokens (concat): 0.03 % of the tokens lost, 0.00 % padding"""
        shares = f"{self.rows.lost:.2%} of the tokens lost, {self.rows.padded:.2%} padding"
        return f"rows: {len(self):,} of {self.block_size} tokens ({self.packing}): {shares}"

    def __getitem__(self, row: int) -> dict[str, torch.Tensor]:
        slices = self.rows.slices(row)
        ids = np.concatenate([self.shard.tokens[start : start + length] for start, length in slices])
        missing = self.block_size - len(ids)
        input_ids = torch.from_numpy(np.pad(ids.astype(np.int64), (0, missing), constant_values=self.pad_id))  # (T,)
        block = {"input_ids": input_ids, "labels": input_ids}
        if missing:
            block["labels"] = input_ids.clone()
            block["labels"][-missing:] = IGNORED
        if self.mask_documents:
            lengths = [length for _, length in slices] + [missing]
            block["position_ids"] = torch.cat([torch.arange(length) for length in lengths])
        return block
