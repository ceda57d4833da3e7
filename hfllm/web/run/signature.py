"""datatrove's MinHash signature, number for number, in less time and in bounded memory.

    Signature(folder, MinhashConfig(), language=words.for_datatrove("regex")).run(documents)

What is faster: groups of words are hashed as slices of one byte string, marks are taken off by the character and not by
the place, and hashes are reduced without a division. It hashes bytes, which xxhash 4 insists on."""

from __future__ import annotations

import unicodedata
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np
from datatrove.pipeline.dedup import MinhashDedupSignature
from datatrove.utils.hashing import create_hash_func
from datatrove.utils.text import NUMBERS_PATTERN, PUNCTUATION_TRANS, TextNormConfig, simplify_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

MERSENNE, BITS = np.uint64((1 << 61) - 1), np.uint64(61)
BLOCK = 1024  # shingles x 112 hashes x 8 bytes stay in the cache of a core


class Signature(MinhashDedupSignature):
    """The same files as `MinhashDedupSignature` writes."""

    def get_shingles(self, text: str) -> NDArray[np.uint64]:
        """The hashes of all groups of words, (N, 1)."""
        words = self.word_tokenizer.word_tokenize(self._simplified(text))
        joined, n = " ".join(words), self.config.n_grams
        data = joined.encode()
        lengths = map(len, words) if len(data) == len(joined) else (len(word.encode()) for word in words)
        starts = list(accumulate((length + 1 for length in lengths), initial=0))
        hashed = create_hash_func(self.config.hash_config, bytes)
        groups = [hashed(data[start : end - 1]) for start, end in zip(starts, starts[n:], strict=False)]
        return np.array(groups, dtype=np.uint64).reshape(-1, 1)

    def get_signature(self, shingles: NDArray[np.uint64]) -> list[list[int]]:
        """For each bucket the smallest values of its hash functions: (a * shingle + b) mod 2^64 mod (2^61 - 1)."""
        a, b = (parameter.T for parameter in self.parameters)  # (H, 1)
        smallest = np.full(self.num_hashes, np.iinfo(np.uint64).max, dtype=np.uint64)
        for start in range(0, len(shingles), BLOCK):
            values = a * shingles[start : start + BLOCK].T + b  # (H, BLOCK)
            high = values >> BITS
            values &= MERSENNE
            values += high
            np.subtract(values, MERSENNE, out=values, where=values >= MERSENNE)
            if self.config.hash_config.precision == 32:
                values &= np.uint64(self.config.hash_config.max)
            np.minimum(smallest, values.min(axis=1), out=smallest)
        kept = smallest.astype(self.config.hash_config.np_dtype)
        return [bucket.tolist() for bucket in np.split(kept, self.config.num_buckets)]

    def _simplified(self, text: str) -> str:
        if self.config.norm_config != TextNormConfig():
            return simplify_text(text, self.config.norm_config)
        return simplified(text)


def simplified(text: str) -> str:
    """datatrove's `simplify_text` with its defaults: lower case, every number 0, no punctuation, no accents."""
    text = NUMBERS_PATTERN.sub("0", text.lower()).translate(PUNCTUATION_TRANS)
    text = " ".join(text.split())
    if text.isascii():
        return text
    text = unicodedata.normalize("NFD", text)
    for mark in [letter for letter in set(text) if unicodedata.category(letter) == "Mn"]:
        text = text.replace(mark, "")
    return text.strip()
