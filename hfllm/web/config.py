"""The keys of a recipe of the stage `data`."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

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


def check(config: DataConfig) -> None:
    """What can be seen wrong without reading anything."""
    if not config.steps:
        raise UserMistake("steps: there is none; `hfllm data steps` lists them, recipes/gpt2/data.yaml has FineWeb's")
    if config.workers is not None and config.workers < 1:
        raise UserMistake(f"workers: {config.workers} is too few, write 1 or more, or null for all cores")
    if config.executor == "slurm" and not {"partition", "time"} <= config.executor_options.keys():
        raise UserMistake("executor: slurm needs  executor_options: {partition: NAME, time: '20:00:00'}")
    if config.truth is not None and not Path(config.truth).exists():
        raise UserMistake(f"truth: {config.truth}: no such file")


def workers(config: DataConfig) -> int:
    return config.workers or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
