"""Groups of near duplicates among all units, by datatrove's MinHash blocks.

signatures/UNIT/bucket_000/00000.minhash.sig    made unit by unit, and kept
groups/all/bucket_000/00012.minhash.sig         the same files, named by the unit's number
groups/pairs/                                   pages that met in a bucket
groups/000012.remove, .clusters, .sizes         what is dropped of unit 12, and the groups"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Sequence
from contextlib import redirect_stderr
from pathlib import Path
from typing import TYPE_CHECKING, Any

from datatrove.pipeline.base import PipelineStep
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster
from datatrove.pipeline.dedup.minhash import MinhashConfig

from hfllm.web.run import store
from hfllm.web.run.signature import Signature
from hfllm.web.steps.minhash import Minhash
from hfllm.web.text import words

if TYPE_CHECKING:
    from datatrove.data import Document

    from hfllm.web.reading.units import Unit
    from hfllm.web.run.plan import Deduplication

DONE = "done.json"
LINES_AT_ONCE = 1000  # of signatures: datatrove's default of 5 takes 65 minutes where 1000 take 99 s (its issue 497)


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


def gather(one: Deduplication, units: Sequence[Unit]) -> None:
    """The signatures of all units in one folder, under the numbers that datatrove knows files by."""
    shutil.rmtree(one.groups, ignore_errors=True)
    for number, unit in enumerate(units):
        for bucket in sorted((one.signatures / unit.name).glob("bucket_*")):
            target = one.groups / "all" / bucket.name
            target.mkdir(parents=True, exist_ok=True)
            store.link(bucket / "00000.minhash.sig", target / f"{number:05d}.minhash.sig")


def pairs(one: Deduplication) -> list[PipelineStep]:
    """The block for as many tasks as there are buckets that finds the pages which met."""
    folders = {"input_folder": str(one.groups / "all"), "output_folder": str(one.groups / "pairs")}
    return [MinhashDedupBuckets(**folders, config=config_of(one.step), lines_to_buffer=LINES_AT_ONCE)]


def clusters(one: Deduplication) -> list[PipelineStep]:
    """The block for one task that makes groups of the pairs, and drops all but one page of each."""
    kept = {"save_cluster_id": True, "save_cluster_size": True, "lines_to_buffer": LINES_AT_ONCE}
    return [QuietCluster(str(one.groups / "pairs"), str(one.groups), config=config_of(one.step), **kept)]


class QuietCluster(MinhashDedupCluster):
    """datatrove's block without its bar."""

    def run(self, *args: Any) -> None:
        with redirect_stderr(io.StringIO()):
            super().run(*args)


def are_known(one: Deduplication) -> bool:
    return (one.groups / DONE).exists()


def mark_as_known(one: Deduplication) -> None:
    store.write_json(one.groups / DONE, {})
