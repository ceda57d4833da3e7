"""Documents in rows: nothing is lost that is not counted, nothing twice, and masked documents do not see each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from hfllm.errors import UserMistake
from hfllm.pretraining import packing
from hfllm.pretraining.packing import TokenBlocks
from hfllm.pretraining.shards import TokenShard
from tests import stand_in
from tests.test_shards import write


def shard_of(folder: Path, lengths: list[int]) -> TokenShard:
    """Documents of these lengths; every token is its place in the shard, so that tokens can be told apart."""
    ends = np.cumsum(lengths)
    return write(
        folder / "train.ds", [list(range(end - length, end)) for end, length in zip(ends, lengths, strict=True)]
    )


def ids(blocks: TokenBlocks) -> list[list[int]]:
    return [blocks[row]["input_ids"].tolist() for row in range(len(blocks))]


def test_concat_cuts_anywhere_and_loses_the_tail(tmp_path: Path) -> None:
    blocks = TokenBlocks(shard_of(tmp_path, [3, 2, 4, 1]), "concat", 4)
    assert ids(blocks) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert blocks.rows.lost == pytest.approx(2 / 10)
    assert torch.equal(blocks[0]["labels"], blocks[0]["input_ids"])
    assert set(blocks[0]) == {"input_ids", "labels"}


def test_best_fit_takes_what_fits_and_crops_the_shortest(tmp_path: Path) -> None:
    # lengths 3, 2, 4 in rows of 4: the 4 first; then the 3, and of the 2 only one token fits
    blocks = TokenBlocks(shard_of(tmp_path, [3, 2, 4]), "best_fit", 4)
    assert ids(blocks) == [[5, 6, 7, 8], [0, 1, 2, 3]]
    assert blocks.rows.lost == pytest.approx(1 / 9)
    assert blocks.rows.padded == 0


def test_best_fit_starts_every_row_with_a_document(tmp_path: Path) -> None:
    lengths = np.random.default_rng(0).integers(1, 60, 300).tolist()
    shard = shard_of(tmp_path, lengths)
    starts = set(shard.document_bounds()[0].tolist())
    rows = ids(TokenBlocks(shard, "best_fit", 32))
    assert all(row[0] in starts for row in rows)
    assert all(len(row) == 32 for row in rows)


def test_split_loses_nothing_and_pads(tmp_path: Path) -> None:
    # 5 -> pieces 4 and 1; 3 -> with the 1 in one row of 4; nothing left over
    blocks = TokenBlocks(shard_of(tmp_path, [5, 3]), "split", 4, pad_id=99)
    assert sorted(ids(blocks)) == [[0, 1, 2, 3], [5, 6, 7, 4]]
    assert blocks.rows.lost == 0


def test_split_holds_every_token_once(tmp_path: Path) -> None:
    lengths = np.random.default_rng(1).integers(1, 90, 200).tolist()
    blocks = TokenBlocks(shard_of(tmp_path, lengths), "split", 32, pad_id=65_000)
    seen = [token for row in ids(blocks) for token in row if token != 65_000]
    assert sorted(seen) == list(range(sum(lengths)))
    assert blocks.rows.padded == pytest.approx(1 - sum(lengths) / (len(blocks) * 32))


def test_padding_is_not_learned(tmp_path: Path) -> None:
    blocks = TokenBlocks(shard_of(tmp_path, [3]), "split", 4, mask_documents=True, pad_id=99)
    assert blocks[0]["input_ids"].tolist() == [0, 1, 2, 99]
    assert blocks[0]["labels"].tolist() == [0, 1, 2, packing.IGNORED]
    assert blocks[0]["position_ids"].tolist() == [0, 1, 2, 0]


def test_positions_start_anew_in_every_document(tmp_path: Path) -> None:
    # documents 0-2, 3-4, 5-8; rows of 4 cut the second and the third
    blocks = TokenBlocks(shard_of(tmp_path, [3, 2, 4]), "concat", 4, mask_documents=True)
    assert blocks[0]["position_ids"].tolist() == [0, 1, 2, 0]
    assert blocks[1]["position_ids"].tolist() == [0, 0, 1, 2]


def test_text_shorter_than_a_row_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="less than one row of block_size"):
        TokenBlocks(shard_of(tmp_path, [3]), "concat", 4)


@pytest.mark.parametrize("shape", ["qwen3", "llama", "gpt2"])
@torch.no_grad()
def test_a_masked_document_is_read_as_if_it_stood_alone(tmp_path: Path, shape: str) -> None:
    model = AutoModelForCausalLM.from_pretrained(stand_in.make(tmp_path / "model", shape)).eval()
    block = TokenBlocks(shard_of(tmp_path, [5, 7]), "concat", 12, mask_documents=True)[0]
    ids, positions = block["input_ids"][None], block["position_ids"][None]  # (1, 12)
    alone = model(input_ids=ids[:, 5:], use_cache=False).logits
    masked = model(input_ids=ids, position_ids=positions, use_cache=False).logits[:, 5:]
    assert torch.allclose(masked, alone, atol=1e-5)
    unmasked = model(input_ids=ids, use_cache=False).logits[:, 5:]
    assert not torch.allclose(unmasked, alone, atol=1e-3)
