"""With which recipe was each run made, on top of what? Values, overrides, versions, seeds, revision."""

from __future__ import annotations

from collections.abc import Iterator

from hfllm.report.blocks import Block, Code, Section
from hfllm.report.runs import Course, Run
from hfllm.report.table import Table
from hfllm.web.outcome import wording

LONGEST = 20_000  # characters of a recipe


def sections(course: Course) -> Iterator[Section]:
    """One section; a run without a section of its own is linked to its recipe here."""
    codes: list[Block] = [_code(place, run) for place, run in enumerate(course.runs)]
    yield Section(
        "recipes",
        "How to do it again",
        "Each stage is one recipe, and this is all of it: what it said, and what the command line changed.",
        [*codes, *_versions(course.runs)],
    )


def _code(place: int, run: Run) -> Code:
    import yaml

    text = yaml.safe_dump(run.values, sort_keys=False, allow_unicode=True, width=100).strip()
    overrides = [f"--{key} {wording.as_json(value)}" for key, value in run.overrides.items()]
    note = f"{wording.plural(len(overrides), 'override')}" if overrides else ""
    facts = [
        ("recipe", run.recipe),
        ("reads", ", ".join(run.inputs) or "nothing"),
        *([("changed on the command line", "  ".join(overrides))] if overrides else []),
    ]
    return Code(run.name, text[:LONGEST], f"recipe-{place}", note, facts)


def _versions(runs: list[Run]) -> Iterator[Block]:
    yield Table(
        "Seeds and revisions",
        ["run", "seed", "processes", "revision of hfllm", "finished"],
        [[run.name, _seed(run), f"{run.processes:,}", (run.git or "")[:12], run.finished] for run in runs],
    )
    libraries = list(dict.fromkeys(name for run in runs for name in run.versions))
    sets = {tuple(run.versions.get(name, "") for name in libraries) for run in runs}
    if len(sets) == 1:
        versions = [[name, runs[0].versions[name]] for name in libraries]
        yield Table("Versions of libraries, the same for all runs", ["library", "version"], versions)
    else:
        rows = [[run.name, *(run.versions.get(name, "") for name in libraries)] for run in runs]
        yield Table("Versions of libraries", ["run", *libraries], rows)


def _seed(run: Run) -> str:
    return wording.as_json(run.values.get("seed", "not set"))
