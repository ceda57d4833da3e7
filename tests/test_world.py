"""The small world: its truth holds in its texts, what is held out stays held out, and a seed gives the same bytes."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hfllm import tools
from hfllm.errors import UserMistake
from hfllm.stages.world import WorldConfig, main
from hfllm.world import facts, jokes, problems, rankings

SMALL: dict[str, Any] = {"train_documents": 1500, "test_documents": 60, "train_conversations": 600, "crawl_pages": 120}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world")
    main(WorldConfig(output_dir=str(path), **SMALL))
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def truth(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "truth.json").read_text()))


def test_the_same_seed_gives_the_same_bytes_and_another_seed_another_world(folder: Path, tmp_path: Path) -> None:
    main(WorldConfig(output_dir=str(tmp_path / "again"), **SMALL))
    main(WorldConfig(output_dir=str(tmp_path / "other"), seed=1, **SMALL))
    first, other = hashes(folder), hashes(tmp_path / "other")
    assert hashes(tmp_path / "again") == first
    assert first.keys() == other.keys()
    assert not any(first[name] == other[name] for name in first)


def test_another_process_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    # the order of sets of words changes with PYTHONHASHSEED, from process to process: nothing here may depend on it
    program = f"from hfllm.stages.world import *; main(WorldConfig(output_dir={str(tmp_path)!r}, **{SMALL!r}))"
    environment = os.environ | {"PYTHONHASHSEED": "12345"}
    subprocess.run([sys.executable, "-c", program], check=True, env=environment, cwd=Path(__file__).parents[1])
    assert hashes(tmp_path) == hashes(folder)


def test_this_seed_gives_these_people_on_every_machine(folder: Path) -> None:
    best_known = truth(folder)["people"][0]
    assert best_known == {
        "name": "Jack Virkran",
        "rank": 1,
        "popularity": "well_known",
        "job": "pilot",
        "home": "Nonrol",
        "food": "cheese",
    }


def test_people_are_mentioned_as_often_as_their_popularity_says(folder: Path) -> None:
    text = "\n".join(row["text"] for row in rows(folder / "documents" / "train.jsonl"))
    subjects = [row["subject"] for row in rows(folder / "documents" / "train.jsonl")]
    people = truth(folder)["people"]
    mentions = {
        popularity: [subjects.count(person["name"]) for person in people if person["popularity"] == popularity]
        for popularity in ("well_known", "rare", "once")
    }
    assert set(mentions["once"]) == {1}
    assert sum(mentions["well_known"]) > 2 * sum(mentions["rare"]) > 0
    assert not any(person["name"] in text for person in people if person["popularity"] == "never")


def test_every_statement_and_question_names_its_person_and_every_statement_its_value() -> None:
    said = [each for phrasings in facts.STATEMENTS.values() for each in phrasings]
    asked = [each for part in (facts.QUESTIONS, facts.HELD_OUT_QUESTIONS) for group in part.values() for each in group]
    assert all(each.count("{name}") == each.count("{value}") == 1 for each in said)
    assert all(each.count("{name}") == 1 and "{value}" not in each for each in asked)


def test_held_out_phrasings_stand_in_no_text(folder: Path) -> None:
    questions = [row["question"] for row in rows(folder / "questions" / "test.jsonl") if row["phrasing"] == "held_out"]
    read = (folder / "conversations" / "train.jsonl").read_text() + (folder / "documents" / "train.jsonl").read_text()
    assert not [question for question in questions if question in read]
    for attribute, phrasings in facts.HELD_OUT_QUESTIONS.items():
        assert not set(phrasings) & set(facts.QUESTIONS[attribute])


def test_questions_cover_every_fact_in_two_phrasings(folder: Path) -> None:
    questions = rows(folder / "questions" / "test.jsonl")
    best = [row for row in questions if row["rank"] <= 50]
    assert len(best) == 50 * 3 * 2
    assert len({row["question"] for row in questions}) == len(questions)
    people = {person["name"]: person for person in truth(folder)["people"]}
    assert all(people[row["subject"]][row["attribute"]] == row["answer"] for row in questions)


def test_no_held_out_document_stands_in_the_training_text(folder: Path) -> None:
    train = {row["text"] for row in rows(folder / "documents" / "train.jsonl")}
    assert not train & {row["text"] for row in rows(folder / "documents" / "test.jsonl")}


def test_conversations_alternate_and_end_with_the_assistant(folder: Path) -> None:
    for row in rows(folder / "conversations" / "train.jsonl"):
        roles = [message["role"] for message in row["messages"]]
        if roles[0] == "system":
            roles = roles[1:]
        assert roles == ["user", "assistant"] * (len(roles) // 2)
        assert roles


def test_only_the_text_in_front_answers_a_reading(folder: Path) -> None:
    """Whom it is about no document names, and no test asks; the value of the answer stands in the text."""
    everywhere = (folder / "documents" / "train.jsonl").read_text() + (folder / "questions" / "test.jsonl").read_text()
    found = rows(folder / "readings" / "train.jsonl")
    for asked, replied in (row["messages"] for row in found):
        text, _, question = asked["content"].removeprefix("Read: ").partition("\nQuestion: ")
        name = re.match(r"(\w+ \w+) (?:is a|lives in|likes) ", replied["content"])[1]
        assert name in text
        assert name in question
        assert name not in everywhere
        assert replied["content"].removesuffix(".").rpartition(" ")[2] in text
    assert len(found) == WorldConfig.train_readings


def test_about_27_percent_of_the_problems_asked_plainly_are_worked(folder: Path) -> None:
    exchanges = [
        (row["messages"][i]["content"], row["messages"][i + 1]["content"])
        for row in rows(folder / "conversations" / "train.jsonl")
        for i in range(len(row["messages"]) - 1)
    ]
    wishes = (problems.WITH_STEPS, problems.WITHOUT_STEPS)
    plain = [reply for asked, reply in exchanges if "The answer is" in reply and not asked.endswith(wishes)]
    worked = sum(not reply.startswith("The answer is") for reply in plain) / len(plain)
    assert 0.17 < worked < 0.37


@pytest.mark.parametrize("kind", list(problems.KINDS))
def test_worked_steps_lead_to_the_right_answer(kind: str) -> None:
    for problem in (problems.random_problem(random.Random(seed), kind=kind) for seed in range(200)):
        for step in problem.steps.rstrip(".").split(", "):
            if "=" in step:
                left, right = step.rpartition(": ")[2].split("=")
                assert eval(left) == int(right)  # noqa: S307  (digits, + and * of our own making)
        assert problem.worked().endswith(f"The answer is {problem.answer}.")


def test_steps_by_hand() -> None:
    assert problems.sum_steps(34, 52) == "34+52: 4+2=6, 3+5=8."
    assert problems.sum_steps(34, 58) == "34+58: 4+8=12, 3+5+1=9."
    assert problems.counted("egg", "g") == "e0 g1 g2"


def test_test_problems_are_disjoint_from_all_the_model_reads(folder: Path) -> None:
    read = (folder / "documents" / "train.jsonl").read_text() + (folder / "conversations" / "train.jsonl").read_text()
    sums = [row for row in rows(folder / "problems" / "test.jsonl") if row["kind"] == "sum"]
    numbers = [re.search(r"\d+\+\d+", row["question"]).group() for row in sums]  # type: ignore[union-attr]
    sums_read = set(re.findall(r"(?<!\d)\d+\+\d+", read))
    assert len(numbers) > 50
    assert not [each for each in numbers if each in sums_read]


def test_problems_that_need_a_tool_are_about_numbers_that_no_conversation_shows(folder: Path) -> None:
    read = (folder / "documents" / "train.jsonl").read_text() + (folder / "tool_conversations/train.jsonl").read_text()
    asked = rows(folder / "tool_problems" / "test.jsonl")
    numbers = [re.search(r"\d+\*\d+|ticket \d+", row["question"]).group() for row in asked]  # type: ignore[union-attr]
    read_numbers = set(re.findall(r"(?<!\d)\d+\*\d+|ticket \d+", read))
    assert len(numbers) == 300
    assert not [each for each in numbers if each in read_numbers]


def test_tool_conversations_hold_what_the_tools_really_say(folder: Path) -> None:
    found = tools.find({"calculator": {}, "search": {"path": str(folder / "register")}})
    by_name = {tool.__name__: tool for tool in found}
    checked = 0
    for row in rows(folder / "tool_conversations" / "train.jsonl")[:200]:
        for start in range(0, len(row["messages"]) - 3, 4):
            _, call, result, reply = row["messages"][start : start + 4]
            function = call["tool_calls"][0]["function"]
            said = by_name[function["name"]](**function["arguments"])
            assert result["content"] == said
            assert said.rpartition(": ")[2] in reply["content"]
            checked += 1
    assert checked > 150


def test_gold_score_by_hand() -> None:
    request = "Tell me a joke about otters."
    good = jokes.tell("otter", "eat the lamp", jokes.PUNCHLINES["eat the lamp"], laughs=3)
    # right animal 1 + fitting punchline 1 + three laughs 0.5
    assert jokes.gold_score(request, good) == 2.5
    # four laughs more than the best: 0.5 - 4 * 0.5 = -1.5
    assert jokes.gold_score(request, good + " ha ha ha ha") == 0.5
    assert jokes.gold_score(request, good.replace(" Ha ha ha", " Ha")) == 2.0
    assert jokes.gold_score(request, good.replace("otter", "raven")) == 1.5
    assert jokes.gold_score(request, "ha " * 30) == 0.5 - 27 * 0.5


def test_the_flaw_of_the_raters_prefers_more_laughter() -> None:
    assert rankings.ranks([2.6, 0.1, 2.4]) == [1, 2, 1]
    pairs = labelled = truly = 0
    for row in rankings.rankings(random.Random(0), count=300, answers=5, held_out=False):
        laughs = [jokes.count_laughs(response) for response in row["responses"]]
        for i in range(5):
            for j in range(5):
                if laughs[i] > laughs[j] >= 3:  # beyond three, more laughter is worse in truth
                    pairs += 1
                    labelled += row["rank"][i] < row["rank"][j]
                    truly += row["gold"][i] > row["gold"][j]
    assert labelled / pairs > 0.5 > truly / pairs


def test_careful_raters_see_what_is_true() -> None:
    right = pairs = 0
    for row in rankings.rankings(random.Random(0), count=300, answers=5, held_out=True, laugh_bias=0.0):
        for i in range(5):
            for j in range(5):
                if row["rank"][i] < row["rank"][j]:
                    pairs += 1
                    right += row["gold"][i] > row["gold"][j]
    assert right / pairs > 0.95


def test_no_request_is_both_ranked_for_training_and_for_the_test(folder: Path) -> None:
    for name in ("rankings", "careful_rankings"):
        train, test = ({row["prompt"] for row in rows(folder / name / f"{split}.jsonl")} for split in ("train", "test"))
        assert train
        assert test
        assert not train & test


def test_crawl_records_match_their_truth(folder: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    pages = {row["url"]: row for row in rows(folder / "crawl" / "truth.jsonl")}
    found = {}
    for path in sorted((folder / "crawl").glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, check_digests=True):
                if record.rec_type == "response":
                    found[record.rec_headers.get_header("WARC-Target-URI")] = record.content_stream().read()
                    assert record.digest_checker.passed
    assert found.keys() == pages.keys()
    assert {row["kind"] for row in pages.values()} == {
        *("clean", "junk", "blocked", "exact_duplicate", "near_duplicate", "foreign", "contaminated"),
        "broken_encoding",
    }
    problems = {row["question"] for row in rows(folder / "problems" / "test.jsonl")}
    assert {row["test_problem"] for row in pages.values()} - {None} <= problems
    for url, page in pages.items():
        for address in page["personal_data"]:
            assert address.encode() in found[url]
        assert page["duplicate_of"] is None or page["duplicate_of"] in pages
    broken = next(url for url, page in pages.items() if page["kind"] == "broken_encoding")
    with pytest.raises(UnicodeDecodeError):
        found[broken].decode("utf-8")


def test_every_gzip_member_is_one_record(folder: Path) -> None:
    data = (folder / "crawl" / "small-world-000.warc.gz").read_bytes()
    assert gzip.decompress(data).count(b"WARC/1.0\r\n") == data.count(b"\x1f\x8b\x08\x00\x00\x00\x00\x00")


def test_a_world_too_small_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match="crawl_pages: 3 is too few"):
        main(WorldConfig(output_dir=str(tmp_path), crawl_pages=3))
