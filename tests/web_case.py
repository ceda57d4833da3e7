"""A crawl of the small world, small enough for a test, and the stage `data` over it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from hfllm.stages.data import main
from hfllm.web.config import DataConfig
from hfllm.world.crawl import BLOCKED_HOSTS, write_crawl
from hfllm.world.prose import story

PROBLEMS = [f"Ada buys {n} red apples and {n + 1} green pears, how many is that?" for n in range(20, 30)]
STEPS: list[Any] = [
    {"url_lists": {"lists": [], "block": BLOCKED_HOSTS, "words": False}},
    "extract",
    {"language": {"keep": ["en"], "model": "py3langid", "min_score": 0.5}},
    "gopher_repetition",
    "gopher_quality",
    "c4_quality",
    "fineweb_quality",
    "minhash",
    {"pii": {"kinds": ["email", "ip"]}},
]


def crawl(folder: Path, *, pages: int = 100, files: int = 2, seed: int = 0) -> Path:
    """WARC files of made-up pages, and truth.jsonl beside them."""
    rng = random.Random(seed)
    texts = [{"text": story(rng)} for _ in range(6 * pages)]
    write_crawl(folder, rng, texts, PROBLEMS, pages=pages, files=files)  # type: ignore[arg-type]
    lines = [json.dumps({"question": problem}) for problem in PROBLEMS]
    (folder / "problems.jsonl").write_text("\n".join(lines) + "\n")
    return folder


def steps(crawl: Path) -> list[Any]:
    """The whole chain, against the problems that pages of the crawl give away."""
    return [*STEPS, {"decontaminate": {"against": [{"path": str(crawl / "problems.jsonl"), "split": "train"}]}}]


def run(folder: Path, inputs: list[str], **options: Any) -> dict[str, Any]:
    """The stage in this process, its output in `folder`/out."""
    output = folder / "out"
    output.mkdir(parents=True, exist_ok=True)
    config = {"steps": STEPS, "workers": 1} | options
    return main(DataConfig(output_dir=str(output), inputs=inputs, **config))


def rows(folder: Path) -> list[dict[str, Any]]:
    """All rows of the data set that `run` wrote."""
    files = sorted((folder / "out" / "data").glob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def funnel(folder: Path) -> dict[str, Any]:
    """funnel.json without the seconds, which no two runs share, and without the folder's name."""
    content = json.loads((folder / "out" / "funnel.json").read_text())
    steps = [{key: value for key, value in step.items() if key != "seconds"} for step in content["steps"]]
    return content | {"steps": steps, "name": ""}
