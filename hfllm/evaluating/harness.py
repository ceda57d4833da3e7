"""EleutherAI's lm-eval on a loaded model, for numbers that can be compared with published ones (extra `eval`).

    check(["hellaswag", "mine/task.yaml"])
    lines, other = run(model, tokenizer, "hellaswag", rows=None, shots=None, batch_size=8)

Its own task definitions read their data from the Hub. Imported only where it is asked for; it sends nothing home."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake
from hfllm.mistakes import near

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

Row = dict[str, Any]
# its libraries count downloads and uses unless they are told not to, before they are imported
SILENT = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_UPDATE_DOWNLOAD_COUNTS": "0", "DO_NOT_TRACK": "1"}
NOT_A_METRIC = {"name", "alias", "sample_len", "sample_count"}


def check(tasks: Sequence[str]) -> None:
    """Raises `UserMistake` when lm-eval is not installed, or has no such task."""
    if not tasks:
        return
    if importlib.util.find_spec("lm_eval") is None:
        raise UserMistake("lm_eval: needs the package lm-eval:   pip install 'hfllm[eval]'")
    _silence()
    from lm_eval.tasks import TaskManager

    known = TaskManager().all_tasks
    for task in tasks:
        if task not in known and not (task.endswith(".yaml") and Path(task).is_file()):
            raise UserMistake(f"lm_eval: {task}: lm-eval has no such task{near(task, known)}")


def run(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    task: str,
    *,
    rows: int | None,
    shots: int | None,
    batch_size: int,
) -> tuple[list[Row], list[Row]]:
    """A line for each question, as measures.py has them, and results for what is no mean over questions.

    Raises `UserMistake` when its data cannot be read."""
    _silence()
    from lm_eval import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    wrapped = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch_size)
    try:
        found = simple_evaluate(wrapped, tasks=[task], limit=rows, num_fewshot=shots, bootstrap_iters=0)
    except (ConnectionError, FileNotFoundError) as error:
        raise UserMistake(f"lm_eval: {task}: its data cannot be read.\n  {error}") from error
    several = len(found["samples"]) > 1
    lines = [
        _line(question, name if several else "")
        for name, samples in found["samples"].items()
        for question in _by_question(samples)
    ]
    counted = {metric for line in lines for metric in line["measures"]}
    others = [
        {"group": name if several else "", "metric": metric, "value": value, "low": None, "high": None, "questions": 0}
        for name, means in found["results"].items()
        for metric, value in _means(means)
        if name not in found["samples"] or metric not in counted
    ]
    return lines, others


def _by_question(samples: Sequence[Row]) -> list[list[Row]]:
    """The samples of one question together: there is one for each way of reading the answer (a `filter`)."""
    questions: dict[int, list[Row]] = {}
    for sample in sorted(samples, key=lambda one: one["doc_id"]):
        questions.setdefault(sample["doc_id"], []).append(sample)
    return list(questions.values())


def _line(samples: Sequence[Row], group: str) -> Row:
    measures = {
        metric if sample.get("filter", "none") == "none" else f"{metric},{sample['filter']}": float(sample[metric])
        for sample in samples
        for metric in sample["metrics"]
        if isinstance(sample[metric], (int, float))
    }
    first = samples[0]
    asked = [(str(one[0]), one[1]) for one in first["arguments"]]
    place = str(first["target"])
    is_choice = len(asked) > 1 and place.isdigit() and int(place) < len(asked)
    return {
        "group": group,
        "question": str(first["doc_id"]),
        "prompt": asked[0][0],
        "expected": str(asked[int(place)][1]).strip() if is_choice else place,
        "answers": [_likeliest(first, asked) if is_choice else str(first["filtered_resps"][0])],
        "measures": measures,
    }


def _likeliest(sample: Row, asked: Sequence[tuple[str, Any]]) -> str:
    logps = [float(logp) for logp, _ in sample["filtered_resps"]]
    return str(asked[logps.index(max(logps))][1]).strip()


def _means(means: Row) -> Iterator[tuple[str, float]]:
    """What a task or a group of tasks counted: {"acc,none": 0.5, "acc_stderr,none": 0.1, ...} -> ("acc", 0.5)."""
    for key, value in means.items():
        if isinstance(value, (int, float)) and "_stderr" not in key and key not in NOT_A_METRIC:
            yield key.removesuffix(",none"), float(value)


def _silence() -> None:
    for name, value in SILENT.items():
        os.environ.setdefault(name, value)
