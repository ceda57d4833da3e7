"""Web data: a crawl goes in, training text comes out, with a report of what was removed and why.

    accelerate launch -m hfllm.stages.data recipes/tiny/data.yaml

Reads WARC, WET, ARC, JSON Lines or parquet files, on any file system that fsspec knows. Writes a data set folder that
`load_dataset` loads (data/train-*.parquet), funnel.html and funnel.json. What was measured is kept in `work_dir`, so
that another threshold, or one more file, costs only what depends on it.

FineWeb, arXiv 2406.17557, section 3, on datatrove's executors and MinHash; hfllm/web has the parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hfllm import recipe, web
from hfllm.web import units
from hfllm.web.config import DataConfig, check, workers

CHECK = web.problems


def main(config: DataConfig) -> dict[str, Any]:
    """Run the chain; the numbers are those of the funnel."""
    steps = web.chain(config.steps, word_tokenizer=config.word_tokenizer)
    check(config)
    found = units.find(config.inputs, config.paths_file, config.paths_prefix, config.max_files)

    from hfllm.web import crawl, executors, result
    from hfllm.web.plan import make

    web.refuse_missing(steps)
    work = Path(config.work_dir or f"{config.output_dir}.work")
    for step in steps.values():
        step.prepare(work / "prepared")
    reading = {"columns": config.columns, "strict": config.strict, "tokenizer": config.tokenizer}
    plan = make(steps, found, reading, work)
    runner = executors.Runner(config.executor, workers(config), work / "logs", config.executor_options)
    crawl.run(plan, found, reading, runner, fates=config.truth is not None)
    return result.write(plan, found, Path(config.output_dir), tokenizer=config.tokenizer, truth_file=config.truth)


if __name__ == "__main__":
    recipe.run(main)
