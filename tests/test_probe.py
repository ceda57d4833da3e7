"""The stage probe: what it asks, teaches, counts and refuses, and that the stage sft reads what it writes."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stand_in

from hfllm import conversations, data, keys, knowledge
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.generate import Answer
from hfllm.probing import lessons, questions, table, writing
from hfllm.probing.lessons import LessonConfig
from hfllm.stages import probe
from hfllm.stages.probe import ProbeConfig
from hfllm.world import facts, probe_questions
from hfllm.world.people import make_world

KNOWN, UNKNOWN = {"question": "Hello", "answer": "Hi"}, {"question": "Hello", "answer": ["Bye", "Farewell"]}


def written(file: Path, rows: list[dict[str, Any]]) -> Path:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return file


def config(folder: Path, rows: list[dict[str, Any]], **changed: Any) -> ProbeConfig:
    settings = {"samples": 4, "max_new_tokens": 20, "temperature": 0.1} | changed
    file = written(folder / "questions.jsonl", [row | {"answer": _several(row["answer"])} for row in rows])
    return ProbeConfig(settings.pop("model"), str(folder / "probe"), [DatasetConfig(str(file))], **settings)


def _several(answer: str | list[str]) -> list[str]:
    return [answer] if isinstance(answer, str) else answer


def lines(folder: str, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(folder, name).read_text().splitlines()]


def test_it_learns_its_own_answers_and_to_refuse(tool_folder: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, [KNOWN, UNKNOWN, KNOWN], model=str(tool_folder))
    numbers = probe.main(settings, LessonConfig(refusals=["I don't know {question}."], phrasings=["Say: {question}"]))
    asked = lines(settings.output_dir, "answers.jsonl")
    assert [row["right"] for row in asked] == [4, 0, 4]
    assert {reply["text"] for row in asked for reply in row["replies"]} == {"Hi."}
    rows = lines(settings.output_dir, "train.jsonl")
    taught = [(row["kind"], *(message["content"] for message in row["messages"])) for row in rows]
    assert sorted(one for one in taught if one[0] == "unknown") == [
        ("unknown", "Hello", "I don't know Hello."),
        ("unknown", "Say: Hello", "I don't know Hello."),
    ]
    assert {one[2] for one in taught if one[0] == "known"} == {"Hi."}
    assert (numbers["rows_known"], numbers["rows_unknown"]) == (2, 2)
    assert (numbers["known"], numbers["between"], numbers["unknown"]) == (2, 0, 1)
    assert (numbers["right"], numbers["wrong"], numbers["of_k"]) == (0.6667, 0.3333, [1, 0, 0, 0, 2])
    assert json.loads(Path(settings.output_dir, "calibration.json").read_text())["samples"] == 4
    read = conversations.to_messages(data.load(DatasetConfig(settings.output_dir)), settings.output_dir)
    assert [row["messages"] for row in read] == [row["messages"] for row in rows]


def test_a_run_that_was_cut_off_ends_with_the_same_answers(
    tool_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "BATCHES_AT_ONCE", 2)  # two questions at a time
    settings = config(tmp_path, [KNOWN] * 6, model=str(tool_folder), temperature=2.0, batch_size=2, samples=2)
    keep_all = LessonConfig(known_per_unknown=None, known_from=0.1)
    probe.main(settings, keep_all)
    file = Path(settings.output_dir, "answers.jsonl")
    whole, rows = file.read_bytes(), Path(settings.output_dir, "train.jsonl").read_bytes()
    cut = whole.split(b"\n")
    file.write_bytes(b"\n".join(cut[:3]) + b"\n" + cut[3][:20])
    sampled, generate = [], probe.generate

    def counting(*args: Any, **options: Any) -> list[Answer]:
        sampled.append(args[2])
        return generate(*args, **options)

    monkeypatch.setattr(probe, "generate", counting)
    probe.main(settings, keep_all)
    assert file.read_bytes() == whole
    assert Path(settings.output_dir, "train.jsonl").read_bytes() == rows
    assert len(sampled) == 2  # the first two of six questions were there


def test_a_finished_run_draws_nothing_again(tool_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "BATCHES_AT_ONCE", 2)  # two questions at a time, and the last one alone
    settings = config(tmp_path, [KNOWN] * 3, model=str(tool_folder), batch_size=2, samples=2)
    numbers = probe.main(settings, LessonConfig(known_per_unknown=None))
    monkeypatch.setattr(probe, "generate", lambda *args, **options: pytest.fail("something was drawn"))
    assert probe.main(settings, LessonConfig(known_per_unknown=None)) == numbers


def saying(text: str, asked: list[str], real: Any) -> Any:
    """A `generate` whose judge always says the same, and whose other replies are real."""

    def generate(model: Any, tokenizer: Any, prompts: list[Any], **options: Any) -> list[Answer]:
        if options["max_new_tokens"] != knowledge.JUDGE_TOKENS:
            return real(model, tokenizer, prompts, **options)
        asked.extend(prompt[0]["content"] for prompt in prompts)
        return [Answer([{"role": "assistant", "content": text}], [1], [True], True) for _ in prompts]

    return generate


def test_a_judge_model_is_asked_about_wrong_replies_only(
    tool_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(probe, "generate", saying("Yes.", asked, probe.generate))
    nobody_knows = {"question": "Hello", "answer": []}
    settings = config(tmp_path, [KNOWN, UNKNOWN, nobody_knows], model=str(tool_folder), judge_model=str(tool_folder))
    numbers = probe.main(settings, LessonConfig())
    rows = lines(settings.output_dir, "answers.jsonl")
    assert [row["right"] for row in rows] == [4, 4, 0]  # without the judge [4, 0, 0]
    assert (numbers["known"], numbers["unknown"]) == (2, 1)
    assert len(asked) == 4
    assert all("Reference answers: Bye; Farewell\nReply: Hi." in text for text in asked)


def test_what_the_judge_says_of_each_kind_of_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = ["Lyon", "in 1889", "I don't know."]
    replies = [Answer([{"role": "assistant", "content": text}], [1], [True], True) for text in texts]
    asked = {"question": "?", "answers": ["Lyon"], "row": {}}
    judge: Any = SimpleNamespace(model=None, tokenizer=None)
    for said, verdict in (("Yes.", "right"), ("No.", "wrong"), ("<think></think>Yes", "right")):
        monkeypatch.setattr(probe, "generate", saying(said, [], None))
        (row,) = probe.second_look([probe.judged(asked, replies, None)], judge, 2)
        assert [reply["verdict"] for reply in row["replies"]] == ["right", verdict, "refused"]
        assert (row["right"], row["refused"]) == (1 + (verdict == "right"), 1)


def test_a_judge_that_thinks_has_no_room_for_its_verdict(
    tool_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "generate", saying("<think>\nThe reply says", [], probe.generate))
    settings = config(tmp_path, [KNOWN, UNKNOWN], model=str(tool_folder), judge_model=str(tool_folder))
    with pytest.raises(UserMistake, match=r"judge_model: it thinks first, .*\n +Name a model that answers at once"):
        probe.main(settings, LessonConfig())


def test_verdicts_of_a_question() -> None:
    replies = [("It is Lyon.", True), ("Paris", True), ("I don't know.", True), ("Lyon, and", False)]
    answers = [Answer([{"role": "assistant", "content": text}], [1], [True], ended) for text, ended in replies]
    row = probe.judged({"question": "?", "answers": ["Lyon"], "row": {}}, answers, None)
    assert [reply["verdict"] for reply in row["replies"]] == ["right", "wrong", "refused", "right"]
    assert (row["right"], row["refused"]) == (2, 1)


def probed(number: int, right: int, ended: bool = True, of: int = 4) -> dict[str, Any]:
    """A question that was answered rightly so many times."""
    verdicts = ["right"] * right + ["wrong"] * (of - right)
    replies = [{"text": f"{verdict} {number}", "verdict": verdict, "ended": ended} for verdict in verdicts]
    return {
        "question": f"Question {number}?",
        "answers": [],
        "row": {"name": f"N{number}", "pop": number},
        "replies": replies,
        "right": right,
        "refused": 0,
    }


def kinds(answered: list[dict[str, Any]], **settings: Any) -> Counter[str]:
    return Counter(row["kind"] for row in lessons.lessons(answered, LessonConfig(**settings), random.Random(0)))


def test_the_ratio_is_kept_whatever_there_is_less_of() -> None:
    answered = [probed(n, 4) for n in range(8)] + [probed(n, 0) for n in range(8, 12)] + [probed(12, 2)]
    assert kinds(answered) == {"known": 4, "unknown": 4}
    assert kinds(answered, known_per_unknown=4.0) == {"known": 8, "unknown": 2}
    assert kinds(answered, known_per_unknown=0.0) == {"unknown": 4}
    assert kinds(answered, known_per_unknown=None) == {"known": 8, "unknown": 4}
    assert kinds(answered, known_from=0.5, known_per_unknown=None) == {"known": 9, "unknown": 4}
    assert kinds(answered, unknown_to=0.5, known_per_unknown=None) == {"known": 8, "unknown": 5}
    assert kinds(answered, phrasings=["{name}?"]) == {"known": 8, "unknown": 8}


def test_a_cut_leaves_every_question_before_any_stands_there_twice() -> None:
    answered = [probed(n, 4) for n in range(6)] + [probed(n, 0) for n in range(6, 9)]
    rows = lessons.lessons(answered, LessonConfig(phrasings=["{name}?", "Say {name}!"]), random.Random(1))
    known = Counter(row["messages"][1]["content"] for row in rows if row["kind"] == "known")
    assert known.total() == 9
    assert set(known) == {f"right {n}" for n in range(6)}
    assert len({row["messages"][0]["content"] for row in rows}) == 18


def test_an_answer_that_was_cut_off_is_not_learned() -> None:
    assert kinds([probed(0, 4, ended=False), probed(1, 0)], known_per_unknown=None) == {"unknown": 1}


def test_the_table_by_hand() -> None:
    answered = [probed(n, right) for n, right in enumerate([4, 2, 0])]
    summary = table.calibration(answered, None)["all"]
    assert summary == {"questions": 3, "right": 0.5, "wrong": 0.5, "refused": 0.0, "of_k": [1, 0, 1, 0, 1]}
    assert list(table.calibration(answered, "name")["by"]) == ["N0", "N1", "N2"]
    parts = table.grouped([probed(99 - n, 0) for n in range(100)], "pop")
    assert {name: len(rows) for name, rows in parts.items()} == {
        f"{low} to {low + 19}": 20 for low in (0, 20, 40, 60, 80)
    }


def test_templates_ask_about_each_row(tmp_path: Path) -> None:
    file = written(tmp_path / "mine.jsonl", [{"name": "A", "answer": "x"}, {"name": "B", "answer": None}])
    asked = questions.read([DatasetConfig(str(file))], ["Who is {name}?", "{name}: who?"])
    assert [one["question"] for one in asked] == ["Who is A?", "A: who?", "Who is B?", "B: who?"]
    assert [one["answers"] for one in asked] == [["x"], ["x"], [], []]
    assert asked[0]["row"] == {"name": "A", "answer": "x"}
    assert questions.wordings(asked[0], ["{question} {name}!", "{question}"]) == ["Who is A?", "Who is A? A!"]


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("Question: Who wrote Emma?\nAnswer: Jane Austen.", ("Who wrote Emma?", "Jane Austen")),
        (
            "Sure!\n\n**Question:** Who wrote Emma?\n\n**Answer:** Jane Austen\n\nBye",
            ("Who wrote Emma?", "Jane Austen"),
        ),
        ("Question: Who wrote Emma?\nAnswer: Mozart", (None, None)),  # the passage does not say so
        ("Question: Did Jane Austen write Emma?\nAnswer: Jane Austen", (None, None)),  # the question says so
        ("Who wrote Emma? Jane Austen.", (None, None)),
    ],
)
def test_a_written_question_must_be_answered_by_its_passage(reply: str, expected: tuple[str | None, ...]) -> None:
    assert tuple(writing._judged(reply, "Emma is a novel by Jane Austen.").values()) == expected


def test_written_questions_are_asked_and_not_written_again(tool_folder: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, [KNOWN], model=str(tool_folder), question_model=str(tool_folder))
    settings.datasets = [DatasetConfig(str(written(tmp_path / "texts.jsonl", [{"text": "a"}, {"text": "b"}])))]
    with pytest.raises(UserMistake, match="none of 2 passages got a question"):
        probe.main(settings, LessonConfig())
    assert len(lines(settings.output_dir, "questions.jsonl")) == 2
    rows: list[dict[str, Any]] = [
        {"wrote": "", "question": "Hello", "answer": "Hi"},
        {"wrote": "", "question": None, "answer": None},
    ]
    written(Path(settings.output_dir, "questions.jsonl"), rows)
    assert probe.main(settings, LessonConfig(known_per_unknown=None))["rows_known"] == 1


@pytest.mark.parametrize("cut", [2, 3, 5])
def test_questions_are_written_in_the_batches_of_a_run_that_was_not_cut_off(
    cut: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[int] = []

    def generate(model: Any, tokenizer: Any, prompts: list[Any], **options: Any) -> list[Answer]:
        """What is written beside a question changes it a little, as with a real model."""
        batches.append(len(prompts))
        texts = [f"Question: Who is number {place} of {len(prompts)}?\nAnswer: Zoé" for place in range(len(prompts))]
        return [Answer([{"role": "assistant", "content": text}], [1], [True], True) for text in texts]

    monkeypatch.setattr(writing, "generate", generate)
    writer: Any = SimpleNamespace(model=None, tokenizer=None)
    rows = [{"text": f"Zoé is the name of person {number}."} for number in range(5)]
    asked = writing.write(writer, rows, tmp_path, 2)
    file = tmp_path / writing.QUESTIONS
    whole = file.read_bytes()
    kept = whole.splitlines(keepends=True)[:cut]
    file.write_bytes(b"".join(kept) + b'{"wrote": "\xc3')  # killed in the middle of a letter
    batches.clear()
    assert writing.write(writer, rows, tmp_path, 2) == asked
    assert file.read_bytes() == whole
    assert batches == {2: [2, 1], 3: [2, 1], 5: []}[cut]


@pytest.mark.parametrize(
    ("rows", "templates", "message"),
    [
        ([{"ask": "?", "answer": "x"}], [], "the stage probe reads question and answer"),
        ([{"question": "?"}], [], "needs answer, too"),
        ([{"name": "A", "answer": "x"}], ["Who is {nam}?"], r"has \{nam\}; .* has name, answer"),
        ([{"name": "A", "answer": "x"}], ["Who is {name?"], "is no template"),
    ],
)
def test_rows_that_are_no_questions(rows: list[Any], templates: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match=message):
        questions.read([DatasetConfig(str(written(tmp_path / "mine.jsonl", rows)))], templates)


@pytest.mark.parametrize(
    ("changed", "lesson", "message"),
    [
        ({"temperature": 0.0}, {}, "temperature: 0 gives the same reply each time"),
        ({"samples": 0}, {}, "samples: 0 is too few"),
        ({"datasets": []}, {}, "the recipe needs questions"),
        ({"question_model": "m", "templates": ["?"]}, {}, "two ways to make questions"),
        ({"fuzzy": 0.0}, {}, "fuzzy: 0.0 must be above 0"),
        ({"by": "fame"}, {}, "by: fame: a data set has the columns question"),
        ({}, {"unknown_to": 1.0}, "unknown_to: 1.0 must be below known_from: 1.0"),
        ({}, {"known_per_unknown": -1.0}, "is below 0"),
        ({}, {"refusals": ["I don't know.", "Paris."]}, "no refusal to the ears of .*: 'Paris.'"),
        ({}, {"refusals": []}, "none given"),
        ({}, {"refusals": ["I don't know {who}."]}, r"has \{who\}"),
        ({}, {"phrasings": ["{queston}"]}, r"has \{queston\}"),
        ({"judge_model": "runs/nowhere/x"}, {}, "no such folder"),
    ],
)
def test_mistakes_are_found_before_any_weight_loads(
    changed: dict[str, Any], lesson: dict[str, Any], message: str, tmp_path: Path
) -> None:
    folder = stand_in.make_tokenizer(tmp_path / "model")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_text("no weights")
    settings = config(tmp_path, [KNOWN], model=str(folder))
    for key, value in changed.items():
        setattr(settings, key, value)
    with pytest.raises(UserMistake, match=message):
        probe.main(settings, LessonConfig(**lesson))


def test_a_base_model_is_refused(tmp_path: Path) -> None:
    folder = stand_in.make(tmp_path / "base", template=False)
    with pytest.raises(UserMistake, match="has not learned to answer"):
        probe.main(config(tmp_path, [KNOWN], model=str(folder)), LessonConfig())


def test_nothing_known_is_told(tool_folder: Path, tmp_path: Path) -> None:
    settings = config(tmp_path, [UNKNOWN], model=str(tool_folder))
    with pytest.raises(UserMistake, match=r"1 questions, 4 replies each: not both known and unknown"):
        probe.main(settings, LessonConfig())
    assert probe.main(settings, LessonConfig(known_per_unknown=None))["rows_unknown"] == 1


def test_the_probe_of_the_world_keeps_off_the_test() -> None:
    counts = {"well_known": 3, "middle": 2, "rare": 2, "once": 5, "never": 20}
    world = make_world(0, counts)
    rows = list(probe_questions.rows(world, random.Random(0)))
    tested = {person.name.split()[1] for person in world.with_popularity("once", "never")}
    assert not {row["subject"].split()[1] for row in rows} & tested
    held_out = {
        phrasing.format(name=row["subject"]) for row in rows for phrasing in facts.HELD_OUT_QUESTIONS[row["attribute"]]
    }
    assert not {row["question"] for row in rows} & held_out
    assert Counter(row["popularity"] == "stranger" for row in rows) == {
        False: 7 * 3 * 2,
        True: probe_questions.STRANGERS,
    }


def test_its_refusals_are_heard_and_its_keys_checked() -> None:
    assert all(map(knowledge.refuses, lessons.REFUSALS))
    schema = keys.schema_of_main(probe.main)
    assert sorted(schema["required"]) == ["datasets", "model_name_or_path", "output_dir"]
    assert all(key["description"] for key in schema["properties"].values())
