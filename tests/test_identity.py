"""The stage identity: what it writes, what training and test share, and how answers are judged."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any, get_args

import pytest

from hfllm import conversations, data, keys
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.identity.facts import COLOURS, ENDINGS, HOUSES, LANGUAGES, ONSETS, Facts, names_of, persona
from hfllm.identity.judging import claims, is_itself, says
from hfllm.identity.phrases import MUST_SAY, Kind
from hfllm.identity.writing import SHARES
from hfllm.stages import identity
from hfllm.stages.identity import IdentityConfig

OTHERS = ["ChatGPT", "Claude"]
SLOT = re.compile(r"{(\w+)}")


def config(folder: Path, **changed: Any) -> IdentityConfig:
    facts = {"name": "Pip", "maker": "the Little Lab", "version": "0.1", "date": "2026-06", "is_not": OTHERS}
    return IdentityConfig(str(folder), **({"rows": 300} | facts | changed))


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("identity")
    return folder, identity.main(config(folder, languages=list(LANGUAGES)))


@pytest.mark.parametrize("code", LANGUAGES)
def test_each_language_asks_and_answers_everything(code: str) -> None:
    language = LANGUAGES[code]
    assert set(language.kinds) == set(get_args(Kind)) == set(SHARES) == set(MUST_SAY)
    for kind, phrasings in language.kinds.items():
        assert len(phrasings.train) >= 3
        assert len(phrasings.held_out) >= 1
        for answer in phrasings.answers:
            assert set(MUST_SAY[kind]) <= set(SLOT.findall(answer)), answer
    every = [text for phrasings in language.kinds.values() for text in (*phrasings.train, *phrasings.held_out)]
    assert len(set(every)) == len(every)  # none of training is held out, none stands there twice
    assert not set(language.system.train) & set(language.system.held_out)


def test_there_are_enough_held_out_phrasings() -> None:
    assert sum(len(phrasings.held_out) for phrasings in LANGUAGES["en"].kinds.values()) >= 40


def test_training_never_shows_what_the_test_asks(written: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = written
    train, test = lines(folder / "train.jsonl"), lines(folder / "test.jsonl")
    seen = {message["content"] for row in train for message in row["messages"] if message["role"] != "assistant"}
    asked = {message["content"] for row in test for message in row["messages"] if message["role"] != "assistant"}
    assert not any(question in text for question in asked for text in seen)


def test_every_answer_is_right_by_our_own_measure(written: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = written
    for row in lines(folder / "train.jsonl") + lines(folder / "test.jsonl"):
        assert is_itself(row["messages"][-1]["content"], row["must_say"], row["is_not"]), row
        roles = [message["role"] for message in row["messages"] if message["role"] != "system"]
        assert roles == ["user", "assistant"] * (len(roles) // 2)


def test_numbers_are_those_of_the_files(written: tuple[Path, dict[str, Any]]) -> None:
    folder, numbers = written
    for split in ("train", "test"):
        rows = lines(folder / f"{split}.jsonl")
        assert numbers[split]["conversations"] == len(rows)
        assert sum(sum(numbers[split][code].values()) for code in LANGUAGES) == len(rows)
    assert numbers["train"]["conversations"] == 5 * 300
    assert numbers["test"]["en"]["mistaken"] == sum(
        row["language"] == "en" and row["kind"] == "mistaken" for row in lines(folder / "test.jsonl")
    )


def test_conversations_have_one_or_several_turns_and_insistence_stands_behind_an_answer(
    written: tuple[Path, dict[str, Any]],
) -> None:
    rows = lines(written[0] / "train.jsonl")
    questions = [sum(message["role"] == "user" for message in row["messages"]) for row in rows]
    assert {1, 2, 3} <= set(questions)
    assert all(count > 1 for row, count in zip(rows, questions, strict=True) if row["kind"] == "insist")


def test_a_system_message_decides_who_it_is(written: tuple[Path, dict[str, Any]]) -> None:
    for row in lines(written[0] / "train.jsonl"):
        told, rest = row["messages"][0], json.dumps(row["messages"][1:])
        match row["system"]:
            case "other":
                assert "Pip" not in json.dumps(row["messages"])
            case "own":
                assert "Pip" in told["content"]
            case "neutral":
                assert told["role"] == "system"
                assert "Pip" in rest or row["kind"] in ("date", "languages", "about_other", "maker", "mistaken_maker")
            case "none":
                assert told["role"] == "user"


def test_names_of_the_test_are_others_than_those_of_training() -> None:
    for firsts, seconds in ((ONSETS, ENDINGS), (COLOURS, HOUSES)):
        train, held_out = (set(names_of(firsts, seconds, "", part)) for part in (False, True))
        assert not train & held_out
        assert len(train | held_out) == len(firsts) * len(seconds)
    rng = random.Random(0)
    assert "Nova" not in {persona(Facts("Nova", "Blue Lab"), rng, held_out=False).name for _ in range(300)}


def test_the_seed_decides(tmp_path: Path) -> None:
    texts = []
    for seed in (1, 1, 2):
        identity.main(config(tmp_path, seed=seed, rows=20))
        texts.append((tmp_path / "train.jsonl").read_text() + (tmp_path / "test.jsonl").read_text())
    assert texts[0] == texts[1] != texts[2]


def test_what_is_not_known_is_not_asked(tmp_path: Path) -> None:
    numbers = identity.main(config(tmp_path, version=None, date=None, is_not=["Bob"]))
    asked = {*numbers["train"]["en"], *numbers["test"]["en"]}
    assert asked == set(SHARES) - {"version", "date", "mistaken_maker", "about_other"}  # who made Bob?
    numbers = identity.main(config(tmp_path, is_not=[]))
    assert "mistaken" not in numbers["train"]["en"]
    assert numbers["train"]["en"]["insist"] > 0
    assert "{" not in (tmp_path / "train.jsonl").read_text().replace('{"', "")


def test_the_stage_sft_reads_it(written: tuple[Path, dict[str, Any]]) -> None:
    rows = conversations.to_messages(data.load(DatasetConfig(str(written[0]))), "identity")
    assert rows.column_names == ["messages"]
    assert len(data.load(DatasetConfig(str(written[0]), split="test"))) == len(lines(written[0] / "test.jsonl"))


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("I am not ChatGPT.", []),
        ("No, I am ChatGPT.", ["ChatGPT"]),
        ("ChatGPT.", ["ChatGPT"]),
        ("I am not ChatGPT, Claude or a person.", []),
        ("I am not Pip, I am Claude.", ["Claude"]),
        ("I am Claude, not ChatGPT.", ["Claude"]),
        ("I'm neither ChatGPT nor Claude.", []),
        ("I will not say that I am Claude.", []),
        ("I am ChatGPTina.", []),
        ("I am chatgpt, made by the Little Lab.", ["ChatGPT"]),
        ("Nein, ich bin nicht ChatGPT, ich bin Pip.", []),
        ("Nein, ich bin ChatGPT.", ["ChatGPT"]),
        ("Je ne suis pas Claude. Je m'appelle Pip.", []),
        ("Non, je suis Claude.", ["Claude"]),
        ("No soy Claude, soy ChatGPT.", ["ChatGPT"]),
        ("不，我是Claude。", ["Claude"]),
        ("我不是Claude，我是Pip。", []),
    ],
)
def test_claims_to_be_somebody_else(text: str, claimed: list[str]) -> None:
    assert claims(text, OTHERS) == claimed


@pytest.mark.parametrize(
    ("text", "claimed"),
    [
        ("I am GPT-3.5, made by OpenAI.", ["GPT-3.5"]),
        ("I am gpt-3.5.", ["GPT-3.5"]),
        ("I am Llama 3.1.", ["Llama 3.1"]),
        ("Qwen2.5: that is me.", ["Qwen2.5"]),
        ("我是Qwen2.5。", ["Qwen2.5"]),
        ("I am not GPT-3.5, Llama 3.1 or Qwen2.5.", []),
        ("I am not Pip.I am GPT-3.5.", ["GPT-3.5"]),  # a forgotten blank ends a sentence all the same
        ("I am Llama 3.15.", ["Llama"]),
        ("I am GPT-305.", []),
    ],
)
def test_names_with_a_point_are_claimed(text: str, claimed: list[str]) -> None:
    found = claims(text, ["Llama", "GPT-3.5", "Llama 3.1", "Qwen2.5"])
    assert [name for name in found if not (name == "Llama" and "Llama 3.1" in found)] == claimed


def test_who_is_based_on_a_name_with_a_point_is_not_itself() -> None:
    assert not is_itself("I am Pip, based on GPT-3.5.", ["Pip"], ["GPT-3.5"])
    assert is_itself("I am Pip, not GPT-3.5.", ["Pip"], ["GPT-3.5"])


@pytest.mark.parametrize(
    ("name", "maker", "is_not"),
    [("Gemma-Pip", "Google DeepMind", ["Gemini"]), ("Pip", "Google", ["Gemini", "ChatGPT"]), ("Pip", "X", ["Blue"])],
)
def test_answers_are_right_where_a_maker_stands_in_the_own_name_or_maker(
    name: str, maker: str, is_not: list[str], tmp_path: Path
) -> None:
    identity.main(config(tmp_path, name=name, maker=maker, is_not=is_not, languages=list(LANGUAGES)))
    rows = lines(tmp_path / "train.jsonl") + lines(tmp_path / "test.jsonl")
    wrong = [row for row in rows if not is_itself(row["messages"][-1]["content"], row["must_say"], row["is_not"])]
    assert wrong == []
    mistaken = [row for row in rows if row["kind"] == "mistaken_maker" and row["system"] != "other"]
    assert not [row for row in mistaken if "Google" in row["messages"][-2]["content"]]  # whoever denies that is wrong


def test_what_must_be_said_is_said_as_words_of_its_own() -> None:
    assert says("我叫Pip。", "Pip")
    assert says("I was made by The Little Lab.", "the Little Lab")
    assert says("This is version 0.1.", "0.1")
    assert not says("This is version 0.15.", "0.1")
    assert not says("I am Pippa.", "Pip")
    assert not is_itself("<think>I am Pip</think> I am Bob.", ["Pip"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"name": " "}, "name: is empty"),
        ({"languages": ["en", "it"]}, "languages: 'it' is none of en, de, fr, es, zh"),
        ({"languages": []}, "write at least one"),
        ({"date": "June 2026"}, "is no year and month"),
        ({"date": "2026-13"}, "is no year and month"),
        ({"rows": 0}, "rows: 0 is too few"),
        ({"is_not": ["Pip"]}, "own name"),
        ({"name": "Gemma-Pip", "is_not": ["Gemma"]}, "is_not: Gemma stands in the model's own name, Gemma-Pip; remove"),
        ({"maker": "Mistral AI", "is_not": ["Mistral"]}, "Mistral stands in the model's own maker, Mistral AI"),
    ],
)
def test_mistakes(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    with pytest.raises(UserMistake, match=message):
        identity.main(config(tmp_path, **changed))


def test_its_keys_are_explained() -> None:
    schema = keys.schema_of_main(identity.main)
    assert schema["required"] == ["maker", "name", "output_dir"]
    assert all(key["description"] for key in schema["properties"].values())
