"""Token shards on disk: layout, document marks, reuse, and that half-written ones are never read."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset

from hfllm.pretraining import shards
from hfllm.pretraining.shards import ShardWriter, TokenShard, Vocabulary

MARKED = Vocabulary(size=300, bos=1, eos=2, fingerprint="a")
PLAIN = Vocabulary(size=300, bos=None, eos=None, fingerprint="a")


def write(
    path: Path, documents: list[list[int]], vocabulary: Vocabulary = PLAIN, origin: dict | None = None
) -> TokenShard:
    writer = ShardWriter(path, vocabulary, origin or {})
    writer.add(["x" * len(ids) for ids in documents], documents)
    return writer.close()


def test_files_are_those_of_datatrove(tmp_path: Path) -> None:
    write(tmp_path / "train.ds", [[5], [6, 7]], MARKED)
    ids = np.fromfile(tmp_path / "train.ds", dtype="<u2")
    assert ids.tolist() == [1, 5, 2, 1, 6, 7, 2]
    assert np.fromfile(tmp_path / "train.ds.index", dtype="<u8").tolist() == [3, 7]
    assert (tmp_path / "train.ds.metadata").read_text().splitlines()[:2] == ["a|2", "7"]


def test_manifest_counts_tokens_with_marks_and_bytes_of_text(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "train.ds", MARKED, {})
    writer.add(["é"], [[5]])
    writer.add([], [])
    writer.add(["ab", "c"], [[6, 7], [8]])
    manifest = writer.close().manifest
    assert (manifest.documents, manifest.tokens, manifest.text_bytes) == (3, 3 + 4 + 3, 2 + 2 + 1)


def test_batches_continue_the_document_ends(tmp_path: Path) -> None:
    writer = ShardWriter(tmp_path / "train.ds", PLAIN, {})
    writer.add(["a"], [[5, 6]])
    writer.add(["b"], [[7]])
    starts, lengths = writer.close().document_bounds()
    assert (starts.tolist(), lengths.tolist()) == ([0, 2], [2, 1])


@pytest.mark.parametrize(("size", "bytes_per_token"), [(65_536, 2), (65_537, 4)])
def test_large_vocabularies_take_four_bytes(tmp_path: Path, size: int, bytes_per_token: int) -> None:
    shard = write(tmp_path / "train.ds", [[size - 1]], Vocabulary(size, None, None, "a"))
    assert (tmp_path / "train.ds").stat().st_size == bytes_per_token
    assert shard.tokens.tolist() == [size - 1]


def test_found_again_only_with_the_same_origin(tmp_path: Path) -> None:
    path = tmp_path / "train.ds"
    write(path, [[5]], origin={"source": "one"})
    assert shards.find(path, {"source": "one"}) is not None
    assert shards.find(path, {"source": "two"}) is None


def test_a_shard_that_was_being_written_is_not_found(tmp_path: Path) -> None:
    path = tmp_path / "train.ds"
    write(path, [[5]])
    ShardWriter(path, PLAIN, {}).add(["b"], [[6]])  # killed before close
    assert shards.find(path, {}) is None


def test_a_shard_with_other_bytes_than_its_manifest_says_is_not_found(tmp_path: Path) -> None:
    path = tmp_path / "train.ds"
    write(path, [[5, 6]])
    path.write_bytes(path.read_bytes()[:-2])
    assert shards.find(path, {}) is None


def test_a_worker_maps_the_file_instead_of_copying_it(tmp_path: Path) -> None:
    shard = write(tmp_path / "train.ds", [list(range(200))] * 100)
    data = pickle.dumps(shard)
    assert len(data) < 1000
    assert np.array_equal(pickle.loads(data).tokens, shard.tokens)


def test_write_divides_documents_by_name_and_skips_empty_ones(tmp_path: Path) -> None:
    dataset = Dataset.from_dict({"text": ["aa", "", "b", None, "a"]})

    def encode(texts: list[str]) -> list[list[int]]:
        return [[ord(letter) for letter in text] for text in texts]

    written = shards.write(
        tmp_path,
        dataset,
        encode,
        PLAIN,
        {"train": {}, "heldout": {}},
        lambda text: "heldout" if "b" in text else "train",
    )
    assert bytes(written["train"].tokens.tolist()).decode() == "aaa"
    assert bytes(written["heldout"].tokens.tolist()).decode() == "b"


def test_holding_out_goes_by_the_text_and_hits_the_share() -> None:
    texts = [f"document {number}" for number in range(2000)]
    chosen = [shards.held_out(text, 0.1) for text in texts]
    assert chosen == [shards.held_out(text, 0.1) for text in texts]
    assert 150 < sum(chosen) < 250  # 200 expected, standard deviation 13
    assert not any(shards.held_out(text, 0.0) for text in texts)


def test_manifest_is_json_to_read(tmp_path: Path) -> None:
    write(tmp_path / "train.ds", [[5]], origin={"source": "one"})
    assert json.loads((tmp_path / "train.ds.json").read_text())["origin"] == {"source": "one"}
