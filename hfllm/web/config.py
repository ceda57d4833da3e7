"""The keys of a recipe of the stage `data`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hfllm import web
from hfllm.errors import UserMistake


@dataclass
class DataConfig:
    """Which files are read, and what is done to their pages."""

    output_dir: str = field(metadata={"help": "Folder to write."})
    steps: list[str | dict[str, dict[str, Any] | None]] = field(
        metadata={"help": "What is done to each page, in order; `hfllm data steps` lists them, mine.py:f is yours."}
    )
    inputs: list[str] = field(
        default_factory=list,
        metadata={"help": "WARC, WET, ARC, JSON Lines or parquet files: paths, folders, patterns (crawl/*.warc.gz)."},
    )
    paths_file: str | None = field(
        default=None, metadata={"help": "A file with a path a line, such as Common Crawl's warc.paths.gz."}
    )
    paths_prefix: str = field(
        default="",
        metadata={"help": "Put before each line of paths_file: s3://commoncrawl/ or https://data.commoncrawl.org/."},
    )
    max_files: int | None = field(default=None, metadata={"help": "Read only so many files, the first ones by name."})
    columns: dict[str, str] = field(
        default_factory=dict,
        metadata={"help": "Where rows of JSON Lines and parquet have text, url, id and date: {url: metadata.url}."},
    )
    strict: bool = field(
        default=False, metadata={"help": "Stop at a broken file; else it is told, and its readable part is used."}
    )
    word_tokenizer: Literal["regex", "spacy"] = field(
        default="regex", metadata={"help": "How words are found; spacy is FineWeb's way, several times slower."}
    )
    tokenizer: str | None = field(
        default=None, metadata={"help": "Tokenizer folder or Hub id to count tokens with; null: characters only."}
    )
    executor: Literal["local", "slurm", "ray"] = field(
        default="local", metadata={"help": "Who runs the tasks, one a file: this machine, a Slurm cluster, or Ray."}
    )
    executor_options: dict[str, Any] = field(
        default_factory=dict,
        metadata={"help": "Of datatrove's executor. slurm: {partition: cpu, time: '20:00:00', mem_per_cpu_gb: 4}."},
    )
    workers: int | None = field(default=None, metadata={"help": "Tasks at the same time; null: the cores here."})
    work_dir: str | None = field(
        default=None, metadata={"help": "Folder for what is kept between runs; null: output_dir with .work behind it."}
    )
    truth: str | None = field(
        default=None, metadata={"help": "truth.jsonl of the stage world: says how well each step found what it should."}
    )


def problems(values: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of all that can be seen wrong in a recipe without reading anything."""
    if not values.get("steps"):
        yield "steps", "there is none; `hfllm data steps` lists them, recipes/gpt2/data.yaml has FineWeb's"
    if not values.get("inputs") and values.get("paths_file") is None:
        yield "inputs", "nothing to read; write  inputs: [crawl/*.warc.gz]  or  paths_file: warc.paths.gz"
    for key in ("workers", "max_files"):
        if values.get(key) is not None and values[key] < 1:
            yield key, f"{values[key]} is too few; write 1 or more, or null for all"
    yield from _executor_problems(values.get("executor", "local"), values.get("executor_options") or {})
    yield from web.problems(values)


def _executor_problems(executor: str, options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    missing = [name for name in ("partition", "time") if executor == "slurm" and name not in options]
    if missing:
        example = "{partition: NAME, time: '20:00:00'}"
        yield "executor_options", f"slurm needs {' and '.join(missing)}, as in {example}"
    if options:
        from hfllm.web.run import executors

        try:
            executors.check_options(executor, options)
        except UserMistake as mistake:
            yield "executor_options", str(mistake)


def check(config: DataConfig) -> None:
    """Raises `UserMistake` with all problems of the keys."""
    found = [f"{key}: {message}" for key, message in problems(asdict(config))]
    if found:
        raise UserMistake("\n".join(found))


def workers(config: DataConfig) -> int:
    return config.workers or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
