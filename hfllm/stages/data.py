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
from hfllm.errors import UserMistake
from hfllm.web import config as keys
from hfllm.web.config import DataConfig
from hfllm.web.reading import units
from hfllm.web.steps.extract import Extract

CHECK = keys.problems


def main(config: DataConfig) -> dict[str, Any]:
    """Run the chain; the numbers are those of the funnel."""
    keys.check(config)
    steps = web.chain(config.steps, word_tokenizer=config.word_tokenizer)

    from hfllm.web import doctor
    from hfllm.web.outcome import result
    from hfllm.web.run import crawl, executors, finish, plan, store

    doctor.refuse_missing(config)
    found = units.find(config.inputs, config.paths_file, config.paths_prefix, config.max_files)
    refuse_html(steps, found)
    work = Path(config.work_dir or f"{config.output_dir}.work").resolve()
    with crawl.alone_in(work):
        if config.executor == "local":  # tasks that were started on a cluster may still be writing
            store.sweep(work)
        for step in steps.values():
            step.prepare(work / "prepared")
        tells_fates = config.truth is not None
        final = [tells_fates, config.tokenizer and bpe_digest(config.tokenizer)]
        planned = plan.make(steps, found, work, columns=config.columns, final=final)
        runner = executors.Runner(config.executor, keys.workers(config), work / "logs", config.executor_options)
        one = crawl.Crawl(planned, found, runner, config.columns, config.strict)
        one.run(lambda some: [finish.Finish(planned, some, tokenizer=config.tokenizer, fates=tells_fates)])
        folder = Path(config.output_dir)
        return result.write(planned, found, folder, tokenizer=config.tokenizer, truth_file=config.truth)


def refuse_html(steps: dict[str, web.Step], found: list[units.Unit]) -> None:
    """Raises `UserMistake` when web pages would go into the text with all their tags."""
    pages = [unit.path for unit in found if units.holds_html(unit.path)]
    if pages and not any(isinstance(step, Extract) for step in steps.values()):
        raise UserMistake(f"steps: {pages[0]} holds HTML, and no step makes text of it; write  - extract")


def bpe_digest(tokenizer: str) -> str:
    """Of the tokenizer that is there now under this name: token counts are of one vocabulary."""
    from hfllm.tokenizing import bpe

    return bpe.fingerprint(bpe.load(tokenizer))


if __name__ == "__main__":
    recipe.run(main)
