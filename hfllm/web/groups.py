"""Groups of near duplicates among all units, by datatrove's MinHash blocks.

signatures/UNIT/bucket_000/00000.minhash.sig    made unit by unit, and kept
groups/all/bucket_000/00012.minhash.sig         the same files, named by the unit's number
groups/pairs/                                   pages that met in a bucket
groups/000012.remove, .clusters, .sizes         what is dropped of unit 12, and the groups"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster
from datatrove.pipeline.dedup.minhash import MinhashConfig

from hfllm.web import store, words
from hfllm.web.signature import Signature
from hfllm.web.steps.minhash import Minhash

if TYPE_CHECKING:
    from datatrove.data import Document

    from hfllm.web.plan import Pass
    from hfllm.web.units import Unit

DONE = "done.json"


def config_of(step: Minhash) -> MinhashConfig:
    return MinhashConfig(
        n_grams=step.ngram, num_buckets=step.buckets, hashes_per_bucket=step.hashes_per_bucket, seed=step.seed
    )


def write_signatures(step: Minhash, pages: Iterable[Document], folder: Path) -> None:
    """`folder`/bucket_000/00000.minhash.sig and so on, sorted; the folder appears whole, or not at all."""
    unfinished = store.temporary_name(folder)
    shutil.rmtree(unfinished, ignore_errors=True)
    block = Signature(str(unfinished), config=config_of(step), language=words.for_datatrove(step.word_tokenizer))
    block.run(pages, 0, 1)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.replace(folder)


def gather(one: Pass, units: Sequence[Unit]) -> None:
    """The signatures of all units in one folder, under the numbers that datatrove knows files by."""
    assert one.groups is not None
    assert one.signatures is not None
    shutil.rmtree(one.groups, ignore_errors=True)
    for number, unit in enumerate(units):
        for bucket in sorted((one.signatures / unit.name).glob("bucket_*")):
            target = one.groups / "all" / bucket.name
            target.mkdir(parents=True, exist_ok=True)
            link(bucket / "00000.minhash.sig", target / f"{number:05d}.minhash.sig")


def link(file: Path, target: Path) -> None:
    """The same bytes under a second name; a copy where the file system has no links."""
    try:
        os.link(file, target)
    except OSError:
        shutil.copyfile(file, target)


def pairs(one: Pass) -> list[PipelineStep]:
    """The block for `buckets` tasks that finds pages which met."""
    assert one.minhash is not None
    assert one.groups is not None
    folders = {"input_folder": str(one.groups / "all"), "output_folder": str(one.groups / "pairs")}
    return [MinhashDedupBuckets(**folders, config=config_of(one.minhash), lines_to_buffer=1000)]


def clusters(one: Pass) -> list[PipelineStep]:
    """The block for one task that makes groups of the pairs, and drops all but one page of each."""
    assert one.minhash is not None
    assert one.groups is not None
    return [QuietCluster(one.groups, config_of(one.minhash))]


class QuietCluster(PipelineStep):
    """MinhashDedupCluster without its bar, and with a file that says it has finished."""

    type, name = "hfllm", "groups"

    def __init__(self, folder: Path, config: MinhashConfig) -> None:
        super().__init__()
        self.folder = folder
        kept = {"save_cluster_id": True, "save_cluster_size": True, "lines_to_buffer": 1000}
        self.block = MinhashDedupCluster(str(folder / "pairs"), str(folder), config=config, **kept)

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        with redirect_stderr(io.StringIO()):
            self.block.run(None, 0, 1)
        store.write_json(self.folder / DONE, {})
        yield from ()


def are_known(one: Pass) -> bool:
    return one.groups is not None and (one.groups / DONE).exists()


def bucket_count(one: Pass) -> int:
    """Buckets whose pairs are written, or being written."""
    assert one.groups is not None
    return len(list((one.groups / "pairs").glob("*.dups")))
