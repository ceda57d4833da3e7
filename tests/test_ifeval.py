"""constraints.py, its writer, and the task ifeval: what keeps to an instruction and what does not."""

import os
import random
from pathlib import Path

import pytest
from datasets import Dataset

from hfllm import constraint_writer, constraints
from hfllm.constraints import follows
from hfllm.errors import UserMistake
from hfllm.tasks import ifeval

DATA = Path(os.environ.get("HFLLM_TEST_DATA", Path(__file__).parents[2] / "shared" / "data")) / "ifeval" / "hf"

# In these rows the answer must begin with the request, and the request has what the answer must not have.
CONTRADICTORY = {
    374: "repeats the forbidden words youngins and damn",
    3369: "repeats `right` twice, which may appear once",
    3371: "repeats the forbidden words economy, demand and supply",
    3718: "repeats a comma",
}

# instruction, arguments, a text that keeps to it, one that does not
EXAMPLES = [
    ("keywords:existence", {"keywords": ["Moon", "tide"]}, "The moon makes tides.", "The moon."),
    ("keywords:frequency", {"keyword": "cat", "relation": "at least", "frequency": 2}, "Cat, cat.", "Cat."),
    ("keywords:frequency", {"keyword": "cat", "relation": "less than", "frequency": 2}, "Cat.", "Cat, cat."),
    ("keywords:forbidden_words", {"forbidden_words": ["rock"]}, "It rocks.", "A Rock!"),
    ("keywords:forbidden_words", {"forbidden_words": ["c++", "(x)"]}, "c", "a (x)."),
    ("keywords:letter_frequency", {"letter": "q", "let_relation": "at least", "let_frequency": 2}, "Qq", "q"),
    ("keywords:letter_frequency", {"letter": "#", "let_relation": "less than", "let_frequency": 1}, "a", "#a"),
    ("language:response_language", {"language": "de"}, "Das ist ein schöner Tag.", "This is a fine day."),
    ("length_constraints:number_words", {"relation": "at least", "num_words": 3}, "one, two three", "one two"),
    ("length_constraints:number_words", {"relation": "less than", "num_words": 3}, "one two", "one two three"),
    ("length_constraints:number_sentences", {"relation": "less than", "num_sentences": 2}, "One. ", "One. Two"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "a\n***\nb", "a\n\nb"),
    ("length_constraints:number_paragraphs", {"num_paragraphs": 2}, "***a *** b***", "a *** *** b"),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "so"},
        'Well.\n\n"So, it is."',
        "So.\n\nWell.",
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, "[name] [address]", "[name] []"),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, "Bye. P. S. Write!", "P.P.S. Write! UPS."),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, "Bye.\n**p.p.s.** Write!", "P.S. Write!"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 2}, "So:\n* a\n - b", "* a\n* b\n* c"),
    ("detectable_format:number_bullet_lists", {"num_bullets": 1}, "***\n- a\n---", "a - b * c"),
    ("detectable_format:constrained_response", {}, "Well: My answer is no.", "My answer is perhaps."),
    ("detectable_format:number_highlighted_sections", {"num_highlights": 2}, "*a b* and **c**", "*a* and * *"),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "Part", "num_sections": 2},
        "Part 1\na\nPart 2\nb",
        "Part 1\na\nb",
    ),
    ("detectable_format:json_format", {}, '```json\n{"a": [1]}\n```', '{"a": [1}'),
    ("detectable_format:title", {}, "<<A day>>\nSun.", "<< >> <A day>"),
    ("combination:two_responses", {}, "One\n******\nTwo", "One ****** one ****** two"),
    ("combination:two_responses", {}, "******a******b", "a******a"),
    ("combination:repeat_prompt", {"prompt_to_repeat": "Write it. "}, "write it. Here: it", "Here: write it."),
    ("startend:end_checker", {"end_phrase": "Peace!"}, 'All is well. "Peace!"', "Peace! All is well."),
    ("change_case:capital_word_frequency", {"capital_relation": "at least", "capital_frequency": 2}, "GO, USA", "USA"),
    ("change_case:capital_word_frequency", {"capital_relation": "less than", "capital_frequency": 1}, "Go", "I go"),
    ("change_case:english_capital", {}, "THIS IS A FINE DAY FOR A LONG WALK.", "THIS is a fine day for a long walk."),
    ("change_case:english_lowercase", {}, "this is a fine day for a long walk.", "das ist ein schöner tag im wald."),
    ("punctuation:no_comma", {}, "a b", "a， b"),
    ("startend:quotation", {}, ' "a" ', '"a'),
]


@pytest.mark.parametrize(("name", "arguments", "good", "bad"), EXAMPLES)
def test_what_keeps_to_an_instruction(name, arguments, good, bad):
    assert follows(name, good, arguments) is True
    assert follows(name, bad, arguments) is False
    assert follows(name, " \n", arguments) is False
    assert follows(name, good, {**arguments, "not_given": None}) is True


@pytest.mark.parametrize(("name", "arguments", "good", "bad"), EXAMPLES)
def test_a_text_is_built_for_every_instruction(name, arguments, good, bad):
    assert follows(name, constraint_writer.write([(name, arguments)]), arguments)


def test_every_instruction_has_an_example():
    named = {f"{group}:{function.__name__}" for group, functions in constraints.KINDS.items() for function in functions}
    assert {name for name, *_ in EXAMPLES} == named
    assert len(named) == 25


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        *(
            ("", 0),
            ("One", 1),
            ("One.", 1),
            ("One. Two! Three?", 3),
            ('He said "no." Then "Why?!"', 2),
            ("Well... yes.", 2),
        ),
        *(("Dr. No paid $3.50 to J. Smith.", 1), ("See a.b.c, e.g. this. P.S. Bye.", 2), ("So am I. You?", 2)),
        *(("सभी स्वतन्त्र हैं। सभी समान हैं।", 2), ("今日は。明日は！", 2), ("Title\n* a\n* b", 1)),
    ],
)
def test_sentences_are_counted(text, sentences):
    assert constraints._count_sentences(text) == sentences


@pytest.mark.parametrize("language", constraint_writer.LANGUAGES)
def test_languages_are_told_apart(language):
    assert constraints._language_of(constraint_writer.LANGUAGES[language]) == language


@pytest.mark.parametrize(
    "name",
    [
        *("keywords:nothing", "nothing:title", "keywords:title", "language:_language_of"),
        *("keywords:follows", "keywords:cache", "keywords:re", ""),
    ],
)
def test_an_unknown_instruction_is_an_error(name):
    with pytest.raises(KeyError):
        constraints.find(name)


MINE = {
    "key": 7,
    "prompt": "Write.",
    "instruction_id_list": ["punctuation:no_comma", "length_constraints:number_words"],
    "kwargs": [{"relation": None, "num_words": None}, {"relation": "at least", "num_words": 2}],
}


def test_a_row_and_its_judgement(tmp_path):
    Dataset.from_list([MINE]).to_json(tmp_path / "mine.jsonl")
    row = ifeval.load("train", path=str(tmp_path / "mine.jsonl"))[0]
    assert row["prompt"] == [{"role": "user", "content": "Write."}]
    assert row["answer"] == "no_comma; number_words at least 2"
    assert ifeval.followed("Well, yes", row) == [False, True]
    assert [ifeval.score(text, row) for text in ("Well, yes", "Well yes", "Well", "")] == [0, 1, 0, 0]
    assert ifeval.score("<think>Well, yes</think>Well yes", row) == 1
    assert ifeval.score("<think>Well yes", row) == 0
    assert ifeval.score(ifeval.gold(row), row) == 1


@pytest.mark.parametrize(("name", "arguments"), [("keywords:none", {"relation": None}), ("startend:end_checker", {})])
def test_an_instruction_that_cannot_be_checked_is_refused(tmp_path, name, arguments):
    row = {**MINE, "instruction_id_list": [name], "kwargs": [{"relation": None, **arguments}]}
    Dataset.from_list([row]).to_json(tmp_path / "mine.jsonl")
    with pytest.raises(UserMistake, match=f"key 7: instruction {name}"):
        ifeval.load("train", path=str(tmp_path / "mine.jsonl"))


def odd_texts():
    """Pieces that the checks look for, drawn and put together at random, some of them a megabyte long."""
    pieces = ["<<", "*", "***", "[", "]", "{", '"', "```", "\n", "P.", "S", ". ", ",", "\x00", "\ud800", "文", "a b"]
    rng = random.Random(0)
    texts = ["".join(rng.choices(pieces, k=rng.randint(1, 60))) for _ in range(300)]
    return texts + [
        piece * (1_000_000 // len(piece))
        for piece in ["<<a", "*", "***", "[a", "{", "```json\n", "\n", " ", "I. ", "\ud800"]
    ]


def test_odd_texts_are_judged_without_a_crash():
    examples = [(name, arguments) for name, arguments, *_ in EXAMPLES]
    row = dict(zip(("instruction_id_list", "kwargs"), zip(*examples, strict=True), strict=True))
    for text in odd_texts():
        assert len(ifeval.followed(text, row)) == len(EXAMPLES)


def test_every_row_of_the_real_data():
    if not DATA.is_dir():
        pytest.skip(f"no data in {DATA}")
    rows = ifeval.load("train", path=str(DATA))
    impossible = {row["key"] for row in rows if ifeval.score(ifeval.gold(row), row) == 0}
    assert impossible == set(CONTRADICTORY)
    assert not any(ifeval.score("", row) for row in rows)


def test_the_contradictory_rows_contradict_themselves():
    """Not even the repeated request alone keeps to the other instructions."""
    if not DATA.is_dir():
        pytest.skip(f"no data in {DATA}")
    for row in ifeval.load("train", path=str(DATA)):
        if row["key"] in CONTRADICTORY:
            request = next(a["prompt_to_repeat"] for a in row["kwargs"] if a["prompt_to_repeat"])
            instructions = zip(row["instruction_id_list"], row["kwargs"], strict=True)
            broken = {name for name, arguments in instructions if not follows(name, request, arguments)}
            assert broken & {"keywords:frequency", "keywords:forbidden_words", "punctuation:no_comma"}
