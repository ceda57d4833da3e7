"""Make the small world: a web, conversations, questions, problems and rankings whose truth is known.

    accelerate launch -m hfllm.stages.world recipes/tiny/world.yaml

Reads nothing. Writes folders that `load_dataset` loads: documents, conversations, readings, questions, probe_questions,
problems, rankings and careful_rankings; a web crawl as WARC files with the truth about each page in crawl/truth.jsonl;
and truth.json, all that is true in this world. The same seed gives the same bytes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hfllm import json_lines, progress, recipe, tools
from hfllm.errors import UserMistake
from hfllm.world import conversations, documents, probe_questions, problems, rankings, tool_problems
from hfllm.world.crawl import write_crawl
from hfllm.world.people import World, make_world


@dataclass
class WorldConfig:
    """How much of everything there is."""

    output_dir: str = field(metadata={"help": "Folder to write."})
    seed: int = field(default=0, metadata={"help": "The same seed gives the same world, byte for byte."})
    well_known_people: int = field(default=50, metadata={"help": "People at the top of the frequency list."})
    middle_people: int = field(default=50, metadata={"help": "People after them."})
    rare_people: int = field(default=50, metadata={"help": "People mentioned a few times."})
    once_people: int = field(default=100, metadata={"help": "People whom exactly one document mentions."})
    never_people: int = field(default=200, metadata={"help": "People who exist but whom no text mentions."})
    zipf_exponent: float = field(default=1.0, metadata={"help": "Mentions fall as 1 / (rank + 10) ** this."})
    train_documents: int = field(default=33_000, metadata={"help": "Training documents, about 40 tokens each."})
    test_documents: int = field(default=600, metadata={"help": "Held-out documents."})
    train_conversations: int = field(default=5_000, metadata={"help": "Training conversations."})
    test_conversations: int = field(default=400, metadata={"help": "Held-out conversations."})
    train_readings: int = field(default=2_000, metadata={"help": "Training questions about a text in front of them."})
    train_problems: int = field(default=3_000, metadata={"help": "Training problems."})
    test_problems: int = field(default=300, metadata={"help": "Held-out problems."})
    train_tool_conversations: int = field(default=4_000, metadata={"help": "Training conversations that call a tool."})
    test_tool_problems: int = field(default=300, metadata={"help": "Held-out problems that need a tool."})
    train_rankings: int = field(default=1_200, metadata={"help": "Training rankings of jokes."})
    test_rankings: int = field(default=200, metadata={"help": "Held-out rankings."})
    train_careful_rankings: int = field(
        default=1_000, metadata={"help": "Training rankings by careful raters, whom laughter does not carry away."}
    )
    test_careful_rankings: int = field(default=200, metadata={"help": "Held-out rankings by careful raters."})
    ranked_answers: int = field(default=5, metadata={"help": "Jokes in each ranking."})
    crawl_pages: int = field(default=1_000, metadata={"help": "Pages of the web crawl."})
    crawl_files: int = field(default=2, metadata={"help": "WARC files that they are spread over."})


def main(config: WorldConfig) -> dict[str, Any]:
    """Write the world; the numbers it returns say how much of everything there is."""
    refuse_impossible_sizes(config)
    world = make_world(config.seed, people_counts(config))
    folder = Path(config.output_dir)
    parts = [write_documents, write_conversations, write_questions, write_problems, write_tool_problems]
    parts += [write_rankings, write_probe_questions, write_readings, write_web]
    numbers: dict[str, Any] = {"people": len(world.people), "cities": len(world.cities)}
    for done, write in enumerate(parts, start=1):
        numbers |= write(config, world, folder)
        progress.report(done, len(parts), write.__name__.replace("_", " "))
    settings = {key: value for key, value in asdict(config).items() if key != "output_dir"}
    truth = world.truth() | {"settings": settings, "blocked_hosts": numbers.pop("blocked_hosts")}
    (folder / "truth.json").write_text(json.dumps(truth, indent=1), encoding="utf-8")
    return numbers


def refuse_impossible_sizes(config: WorldConfig) -> None:
    """The smallest world that has everything; anything above that is a matter of taste."""
    smallest = {"well_known_people": 1, "train_documents": 1, "ranked_answers": 2}
    smallest |= {"crawl_pages": 40, "crawl_files": 1}
    wrong = [
        f"{key}: {getattr(config, key)} is too few, write {least} or more"
        for key, least in smallest.items()
        if getattr(config, key) < least
    ]
    if wrong:
        raise UserMistake("\n".join(wrong))


def people_counts(config: WorldConfig) -> dict[str, int]:
    return {
        "well_known": config.well_known_people,
        "middle": config.middle_people,
        "rare": config.rare_people,
        "once": config.once_people,
        "never": config.never_people,
    }


def source(config: WorldConfig, part: str) -> random.Random:
    """Each part has a stream of its own, so that one more conversation does not change the documents."""
    return random.Random(f"{config.seed}/{part}")


def write_lines(path: Path, rows: Iterable[Any]) -> int:
    """JSON Lines; returns how many."""
    written = list(rows)
    json_lines.write(path, written)
    return len(written)


def train_documents(config: WorldConfig, world: World) -> list[documents.Document]:
    rng = source(config, "documents/train")
    return documents.train_documents(world, rng, config.train_documents, config.zipf_exponent)


def write_documents(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    train = train_documents(config, world)
    rng = source(config, "documents/test")
    test = documents.test_documents(world, rng, config.test_documents, config.zipf_exponent, train)
    return {
        "train_documents": write_lines(folder / "documents" / "train.jsonl", train),
        "test_documents": write_lines(folder / "documents" / "test.jsonl", test),
        "train_characters": sum(len(document["text"]) for document in train),
    }


def write_conversations(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    numbers = {}
    for split, count in (("train", config.train_conversations), ("test", config.test_conversations)):
        rng = source(config, f"conversations/{split}")
        rows = conversations.conversations(world, rng, count, held_out=split == "test")
        numbers[f"{split}_conversations"] = write_lines(folder / "conversations" / f"{split}.jsonl", rows)
    return numbers


def write_questions(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    return {"questions": write_lines(folder / "questions" / "test.jsonl", conversations.questions(world))}


def write_probe_questions(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    rows = probe_questions.rows(world, source(config, "probe_questions"))
    return {"probe_questions": write_lines(folder / "probe_questions" / "train.jsonl", rows)}


def write_readings(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    rows = conversations.readings(world, source(config, "readings"), config.train_readings)
    return {"train_readings": write_lines(folder / "readings" / "train.jsonl", rows)}


def write_problems(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    numbers = {}
    for split, count in (("train", config.train_problems), ("test", config.test_problems)):
        rng = source(config, f"problems/{split}")
        rows = problems.problem_rows(rng, count, held_out=split == "test")
        numbers[f"{split}_problems"] = write_lines(folder / "problems" / f"{split}.jsonl", rows)
    return numbers


def write_tool_problems(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    """The register, conversations that call the real tools, and problems whose numbers are not among them."""
    owners = tool_problems.register(source(config, "register"))
    listed = write_lines(folder / "register" / "train.jsonl", tool_problems.register_rows(owners))
    found = tools.find({"calculator": {}, "search": {"path": str(folder / "register")}})
    by_name = {tool.__name__: tool for tool in found}
    schemas = dict(zip(by_name, tools.schemas(found), strict=True))
    rng = source(config, "tool_conversations")
    rows = tool_problems.conversations(rng, owners, config.train_tool_conversations, by_name, schemas)
    written = write_lines(folder / "tool_conversations" / "train.jsonl", rows)
    held_out = tool_problems.problem_rows(
        source(config, "tool_problems"), owners, config.test_tool_problems, held_out=True
    )
    asked = write_lines(folder / "tool_problems" / "test.jsonl", held_out)
    return {"register_entries": listed, "train_tool_conversations": written, "test_tool_problems": asked}


def write_rankings(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    numbers = {}
    for name, bias in (("rankings", rankings.LAUGH_BIAS), ("careful_rankings", 0.0)):
        for split in ("train", "test"):
            count = getattr(config, f"{split}_{name}")
            rng, held_out = source(config, f"{name}/{split}"), split == "test"
            rows = rankings.rankings(rng, count, config.ranked_answers, held_out=held_out, laugh_bias=bias)
            numbers[f"{split}_{name}"] = write_lines(folder / name / f"{split}.jsonl", rows)
    return numbers


def write_web(config: WorldConfig, world: World, folder: Path) -> dict[str, Any]:
    rng = source(config, "crawl")
    texts = train_documents(config, world)
    rows = problems.problem_rows(source(config, "problems/test"), config.test_problems, held_out=True)
    test_problems = [row["question"] for row in rows]
    return write_crawl(folder / "crawl", rng, texts, test_problems, pages=config.crawl_pages, files=config.crawl_files)


if __name__ == "__main__":
    recipe.run(main)
