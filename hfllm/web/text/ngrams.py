"""Which n-grams of words do a page and a row of an evaluation set share? Hashes of both, in arrays.

Words are what `\\w+` finds in the lower-cased text: neither case nor punctuation hides a copy. An n-gram's hash is a
polynomial of the hashes of its words (xxh3, 64 bits), so all n-grams of a page take a dozen array operations; one of
some 10^13 n-grams is taken for another."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from hfllm.web import whole

WORD = re.compile(r"\w+")
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that no bit of a word's hash is lost
COMMON_TEXTS, COMMON_SHARE = 10, 0.01
ARRAYS = ("hashes", "texts", "sizes", "table")


@dataclass(frozen=True)
class Match:
    """The page holds `coverage` of the n-grams of the row `id`; `ngram` is the first it shares with it."""

    id: str
    coverage: float
    ngram: str


@dataclass(frozen=True)
class NgramIndex:
    """The n-grams of some texts: hash and text, sorted by hash. A row may have several texts, under its one id."""

    hashes: np.ndarray  # (N,) uint64
    texts: np.ndarray  # (N,) int32, the text that has this n-gram
    sizes: np.ndarray  # (texts,) int32, how many n-grams a text has
    table: np.ndarray  # (2^k,) uint8, a bit for every prefix of a hash: spares 9 of 10 n-grams of a page the search
    ids: list[str]  # (texts,)
    lengths: list[int]  # in words: ngram, and those of shorter texts

    @property
    def digest(self) -> str:
        """A name for its content."""
        from xxhash import xxh3_128

        state = xxh3_128(json.dumps([self.ids, self.lengths]).encode())
        for name in ARRAYS:
            state.update(getattr(self, name).tobytes())
        return state.hexdigest()

    def save(self, folder: Path) -> None:
        """Each file is written whole or not at all, index.json last: with it, all are there."""
        if (folder / "index.json").exists():  # the folder is named after the content
            return
        folder.mkdir(parents=True, exist_ok=True)
        for name in ARRAYS:
            with whole.writing(folder / f"{name}.npy") as file:
                np.save(file, getattr(self, name))
        with whole.writing(folder / "index.json") as file:
            file.write(json.dumps({"ids": self.ids, "lengths": self.lengths}).encode())


@cache
def opened(folder: str) -> NgramIndex:
    """The index in this folder, shared by all processes that map it."""
    arrays = (np.asarray(np.load(Path(folder, f"{name}.npy"), mmap_mode="r")) for name in ARRAYS)
    hashes, texts, sizes, table = arrays
    rest = json.loads(Path(folder, "index.json").read_text())
    return NgramIndex(hashes, texts, sizes, table, rest["ids"], rest["lengths"])


def words(text: str) -> list[str]:
    """words("It's 5%, OK?") == ["it", "s", "5", "ok"]"""
    return WORD.findall(text.lower())


def hashed(words: Sequence[str], lengths: Iterable[int]) -> Iterator[tuple[int, np.ndarray]]:
    """For each length, in rising order, the hashes of all n-grams of so many words, by the place where they start."""
    from xxhash import xxh3_64_intdigest

    single = " ".join(words).encode("utf-8", "surrogatepass").split(b" ")
    of_words = np.fromiter(map(xxh3_64_intdigest, single), np.uint64, len(single))
    rolling, length = of_words, 1
    for wanted in sorted(lengths):
        if wanted > len(words):
            return
        while length < wanted:
            rolling = rolling[:-1] * FACTOR + of_words[length:]
            length += 1
        yield length, rolling


def index(sets: Iterable[Iterable[tuple[str, list[str]]]], ngram: int) -> NgramIndex:
    """The index of sets of texts, given as (id, words); a text of fewer words than `ngram` is one n-gram."""
    ids: list[str] = []
    lengths = {ngram}
    hashes, numbers = [np.empty(0, np.uint64)], [np.empty(0, np.int32)]
    for texts in sets:
        parts = []
        for id_, found in texts:
            length = min(ngram, len(found))
            lengths.add(length)
            parts.append((len(ids), np.unique(next(hashed(found, [length]))[1])))
            ids.append(id_)
        common = _common([part for _, part in parts])
        for number, part in parts:
            hashes.append(part[~np.isin(part, common)])
            numbers.append(np.full(len(hashes[-1]), number, np.int32))
    all_hashes, all_numbers = np.concatenate(hashes), np.concatenate(numbers)
    order = np.argsort(all_hashes, kind="stable")
    sizes = np.bincount(all_numbers, minlength=len(ids)).astype(np.int32)
    return NgramIndex(all_hashes[order], all_numbers[order], sizes, _table(all_hashes), ids, sorted(lengths))


def matches(text: str, folder: str) -> list[Match]:
    """The rows that share an n-gram with the text, best covered first."""
    wanted = opened(folder)
    found = words(text)
    held: Counter[int] = Counter()  # text -> how many of its n-grams the page has
    first: dict[int, tuple[int, int]] = {}  # text -> where its first n-gram starts and ends
    for length, hashes in hashed(found, wanted.lengths):
        for start, shared in _shared(hashes, wanted):
            for one in wanted.texts[shared].tolist():
                held[one] += 1
                first[one] = min(first.get(one, (start, start + length)), (start, start + length))
    return _by_row(wanted, held, {one: " ".join(found[slice(*first[one])]) for one in first})


def _shared(hashes: np.ndarray, wanted: NgramIndex) -> Iterator[tuple[int, slice]]:
    """Each n-gram that is in the index, once: its first place among the hashes, and where the index has it."""
    places = np.flatnonzero(_may_be_in(wanted.table, hashes))
    candidates = hashes[places]
    left = wanted.hashes.searchsorted(candidates)
    places = places[wanted.hashes.take(left, mode="clip") == candidates] if len(wanted.hashes) else places[:0]
    unique, firsts = np.unique(hashes[places], return_index=True)
    for value, start in zip(unique, places[firsts].tolist(), strict=True):
        yield start, slice(*(int(wanted.hashes.searchsorted(value, side)) for side in ("left", "right")))


def _by_row(wanted: NgramIndex, held: Counter[int], ngrams: dict[int, str]) -> list[Match]:
    """One match an id: of the texts of a row, the one that the page holds most of."""
    best: dict[str, Match] = {}
    for one, count in held.items():
        match = Match(wanted.ids[one], round(count / int(wanted.sizes[one]), 4), ngrams[one])
        if match.id not in best or match.coverage > best[match.id].coverage:
            best[match.id] = match
    return sorted(best.values(), key=lambda match: (-match.coverage, match.id))


def _common(parts: list[np.ndarray]) -> np.ndarray:
    """The n-grams that are the wording of a set and no row's own, such as its instruction.

    GPT-3 (arXiv 2005.14165, appendix C) leaves out n-grams of more than ten training documents for the same reason;
    the share, chosen by us, is for large sets in which many rows ask about one passage."""
    unique, counts = np.unique(np.concatenate([np.empty(0, np.uint64), *parts]), return_counts=True)
    return unique[counts > max(COMMON_TEXTS, COMMON_SHARE * len(parts))]


def _table(hashes: np.ndarray) -> np.ndarray:
    """Eight bits and more for each hash, so that at most one in eight is set."""
    bits = max(10, (8 * len(hashes)).bit_length())
    marked = np.zeros(1 << bits, bool)
    marked[hashes >> np.uint64(64 - bits)] = True
    return np.packbits(marked, bitorder="little")


def _may_be_in(table: np.ndarray, hashes: np.ndarray) -> np.ndarray:
    bits = len(table).bit_length() + 2
    slots = hashes >> np.uint64(64 - bits)
    return (table[slots >> np.uint64(3)] >> (slots & np.uint64(7)).astype(np.uint8)) & np.uint8(1)
