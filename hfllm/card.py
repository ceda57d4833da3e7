"""The card of a run folder: README.md, made from the receipt, so that it says only what happened."""

from __future__ import annotations

from typing import Any

import yaml

DATA_COLUMNS = {
    "text": "the text of the page",
    "id, url, date, file": "its record in the crawl, its address, when it was fetched, the input file",
    "language, language_score": "the most likely language, and how sure that is (0 to 1)",
    "copies": "pages in its group of near duplicates, of which it is the one that was kept",
    "characters, tokens": "its length; tokens when the recipe names a tokenizer",
    "scores": "what each step measured: scores.gopher_quality.words",
    "contaminated_by": "rows of evaluation sets that are in it, with the share of each (step decontaminate)",
}
KIND = {
    **dict.fromkeys(("world", "data", "probe", "identity", "rft", "synthesize"), "dataset"),
    **{"evaluate": "evaluation", "arena": "evaluation", "tokenizer": "tokenizer"},
}


def render(receipt: dict[str, Any]) -> str:
    """Markdown with the front matter that the Hub reads: what was made, from what, with which numbers."""
    stage, values = receipt["stage"], receipt["values"]
    front: dict[str, Any] = (
        {"library_name": "transformers", "tags": ["hfllm", stage]}
        if stage not in KIND
        else {"tags": ["hfllm", KIND[stage]]}
    )
    front |= _data_front(receipt["numbers"]) if stage == "data" else {}
    return "\n".join(
        [
            "---",
            yaml.safe_dump(front, sort_keys=False).strip(),
            "---",
            f"# {str(values['output_dir']).rstrip('/').split('/')[-1]}",
            "",
            f"Made by the stage `{stage}` of hfllm from the recipe `{receipt['recipe']}`",
            f"in {receipt['seconds']:.0f} seconds on {receipt['machine']}, {receipt['num_processes']} process(es), "
            f"finished {receipt['finished']}.",
            "",
            "## Numbers",
            "",
            *_table(("what", "value"), _flat(receipt["numbers"])),
            "",
            *(_data_section() if stage == "data" else []),
            "## Recipe",
            "",
            "```yaml",
            yaml.safe_dump(values, sort_keys=False, allow_unicode=True).strip(),
            "```",
            "",
            "## Made from",
            "",
            *[f"- `{path}` ({fingerprint})" for path, fingerprint in receipt["inputs"].items()],
            "" if receipt["inputs"] else "Nothing on this disk: the recipe alone.",
            "",
            "## Versions",
            "",
            ", ".join(f"{name} {version}" for name, version in receipt["versions"].items()),
            "",
        ]
    )


def _data_front(numbers: dict[str, Any]) -> dict[str, Any]:
    """What the Hub's filters and viewer read of a data set of texts."""
    return {
        "language": list(numbers.get("languages", {})),
        "task_categories": ["text-generation"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/*.parquet"}]}],
    }


def _data_section() -> list[str]:
    return [
        "## Columns",
        "",
        *_table(("column", "what it holds"), list(DATA_COLUMNS.items())),
        "",
        "`funnel.html` shows what each step dropped, and why. The texts are their authors'; for pages of Common Crawl",
        "its [terms of use](https://commoncrawl.org/terms-of-use) apply. Filters of this kind prefer edited English",
        "prose; personal data that has no fixed form, such as names, is still in the texts.",
        "",
    ]


def _table(head: tuple[str, str], rows: list[tuple[str, Any]]) -> list[str]:
    return [f"| {head[0]} | {head[1]} |", "|---|---|", *[f"| {name} | {number(value)} |" for name, value in rows]]


def _flat(numbers: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """{"rows": {"a": 1}} -> [("rows a", 1)]; lists and long texts stay in run.json."""
    rows: list[tuple[str, Any]] = []
    for name, value in numbers.items():
        if isinstance(value, dict):
            rows += _flat(value, f"{prefix}{name} ")
        elif not isinstance(value, list):
            rows.append((f"{prefix}{name}", value))
    return rows


def number(value: Any) -> str:
    """number(1234567) == "1,234,567", number(0.123456) == "0.1235", number(4e6) == "4,000,000"; else as it is."""
    match value:
        case bool():
            return str(value)
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.0f}" if value.is_integer() and abs(value) >= 1000 else f"{value:,.4g}"
    return str(value)
