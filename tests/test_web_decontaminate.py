"""Are rows of evaluation sets found in pages, however they are set, and counted as by hand?"""

import json
import pickle
import random
import string
import subprocess
import sys

import numpy as np
import pytest
from datatrove.data import Document

from hfllm import web
from hfllm.errors import UserMistake
from hfllm.web.steps import decontaminate
from hfllm.web.steps.decontaminate import Decontaminate
from hfllm.web.text import ngrams

LETTERS = string.ascii_lowercase


def sentence(seed, count):
    """So many made words, different for every seed."""
    draw = random.Random(seed)
    return ["".join(draw.choices(LETTERS, k=draw.randrange(3, 9))) for _ in range(count)]


@pytest.fixture
def write(tmp_path):
    def written(rows, name="test.jsonl"):
        file = tmp_path / name
        file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
        return str(file)

    return written


@pytest.fixture
def prepared(tmp_path):
    def step(*against, **options):
        made = Decontaminate(against=list(against), **options)
        made.check()
        made.prepare(tmp_path / "prepared")
        return made

    return step


def scores(step, text):
    return step.measure(Document(text=text, id="1"))


def test_all_planted_rows_are_found_whatever_surrounds_them(write, prepared):
    rows = [sentence(seed, 20 + seed) for seed in range(20)]
    file = write({"question": " ".join(row)} for row in rows)
    step = prepared({"path": file})
    for number, row in enumerate(rows):
        marks = [", ", "; ", "\n", " — ", "\t"]
        copied = "".join((word.upper() if i % 3 else word.title()) + marks[i % 5] for i, word in enumerate(row))
        page = f"{' '.join(sentence(f'before {number}', 300))}. «{copied}» {' '.join(sentence(f'after {number}', 300))}"
        found = scores(step, page)
        assert found["coverage"] == 1.0
        assert found["matches"] == [{"id": f"{file}/test/{number}", "coverage": 1.0, "ngram": " ".join(row[:13])}]
    assert scores(step, " ".join(sentence("a page of its own", 5000))) == {"coverage": 0.0}
    assert scores(step, "") == {"coverage": 0.0}


def test_coverage_is_the_share_of_the_rows_ngrams(write, prepared):
    row = sentence(0, 16)  # 16 words have 4 n-grams of 13
    step = prepared({"path": write([{"text": " ".join(row)}])})
    assert scores(step, " ".join(row[:12])) == {"coverage": 0.0}
    assert scores(step, " ".join(row[:13]))["coverage"] == 0.25
    assert scores(step, " ".join(row[1:15]))["coverage"] == 0.5  # n-grams 2 and 3
    assert scores(step, " ".join(row[1:15]))["matches"][0]["ngram"] == " ".join(row[1:14])
    assert scores(step, " ".join([*row[:13], "x", *row[3:]]))["coverage"] == 0.5  # n-grams 1 and 4
    assert scores(step, " ".join(row[:13] * 3))["coverage"] == 0.25  # one n-gram counts once
    assert scores(step, " ".join([*row[:6], "x", *row[6:]])) == {"coverage": 0.0}


def test_ngrams_of_a_row_count_once(write, prepared):
    row = [*"abcdefghijklm" * 2]  # 14 n-grams, of which 13 differ: the first comes back at the end
    step = prepared({"path": write([{"text": " ".join(row)}])})
    assert scores(step, " ".join(row[:13]))["coverage"] == round(1 / 13, 4)


def test_hashes_of_ngrams_are_those_of_the_words_alone():
    words = sentence(1, 40)
    rolled = dict(ngrams.hashed(words, [13, 8, 9]))
    assert list(rolled) == [8, 9, 13]
    for length, hashes in rolled.items():
        assert len(hashes) == 40 - length + 1
        for start in (0, 17, 40 - length):
            [(_, alone)] = ngrams.hashed(words[start : start + length], [length])
            assert alone.tolist() == [hashes[start]]
    assert len(np.unique(rolled[8])) == 33
    assert [len(one) for _, one in ngrams.hashed(words[::-1], [13])] == [28]
    assert not np.isin(rolled[13], next(ngrams.hashed(words[::-1], [13]))[1]).any()  # order counts


def test_short_rows_are_looked_for_whole_and_shorter_ones_counted(write, prepared, capsys):
    rows = [sentence(seed, count) for seed, count in enumerate((7, 8, 12, 13))]
    file = write({"question": " ".join(row)} for row in rows)
    step = prepared({"path": file})
    assert step.not_looked_for == 1
    assert "1 rows are not looked for" in capsys.readouterr().out
    page = " ".join(word for row in rows for word in row)
    assert [match["id"].rpartition("/")[2] for match in scores(step, page)["matches"]] == ["1", "2", "3"]
    assert scores(step, " ".join(rows[1][:-1])) == {"coverage": 0.0}


def test_the_question_alone_is_the_row(write, prepared):
    """A page may have the question without the answer, or the answer alone."""
    question, answer = sentence("question", 20), sentence("answer", 30)
    step = prepared({"path": write([{"question": " ".join(question), "answer": " ".join(answer)}])})
    assert scores(step, " ".join(question))["coverage"] == 1.0
    assert scores(step, " ".join(answer))["coverage"] == 1.0
    assert len(scores(step, " ".join(question + answer))["matches"]) == 1
    only = prepared(
        {"path": write([{"question": " ".join(question), "answer": " ".join(answer)}]), "columns": ["answer"]}
    )
    assert scores(only, " ".join(question)) == {"coverage": 0.0}


def test_short_texts_of_a_row_are_taken_together(write, prepared):
    row = {"question": "Which of these is a mineral?", "choices": ["coal of the hills", "quartz", "a wooden spoon"]}
    step = prepared({"path": write([row]), "columns": ["question", "choices"]})
    assert step.not_looked_for == 0
    page = "which of these is a mineral: (coal of the hills) (quartz) (a wooden spoon)!"
    assert scores(step, page)["coverage"] == 1.0


def test_the_wording_of_a_set_is_no_contamination(write, prepared):
    """Fifty rows start with the same fifteen words; a page that has them holds none of the rows."""
    instruction = sentence("instruction", 15)
    rows = [instruction + sentence(seed, 20) for seed in range(50)]
    step = prepared({"path": write({"text": " ".join(row)} for row in rows)})
    assert scores(step, " ".join(instruction)) == {"coverage": 0.0}
    assert scores(step, " ".join(rows[7]))["matches"][0]["coverage"] == 1.0


def test_five_matches_are_kept_the_best_first(write, prepared):
    rows = [sentence(seed, 14) for seed in range(7)]
    step = prepared({"path": write({"text": " ".join(row)} for row in rows)})
    page = " x ".join(" ".join(row[: 13 if seed < 3 else 14]) for seed, row in enumerate(rows))
    matches = scores(step, page)["matches"]
    assert [(match["id"].rpartition("/")[2], match["coverage"]) for match in matches] == [
        ("3", 1.0),
        ("4", 1.0),
        ("5", 1.0),
        ("6", 1.0),
        ("0", 0.5),
    ]


def test_a_task_is_read_as_its_rows_are_asked(write, prepared):
    question = " ".join(sentence("a problem", 20))
    solution = " ".join(sentence("a solution", 20))
    file = write([{"question": question, "answer": f"{solution} <<1+1=2>>2\n#### 2"}])
    step = prepared({"task": "gsm8k", "path": file})
    assert scores(step, question)["matches"][0]["id"] == "gsm8k/test/0"
    # the task's solution ends in "2 The answer is 2.", 25 words with 13 n-grams; the page has 21 words of it, 9 n-grams
    assert scores(step, f"so: {solution} 2")["coverage"] == round(9 / 13, 4)
    [need] = step.needs()
    assert need.found == "gsm8k/test, 1 rows"


def test_flag_keeps_and_drop_drops_from_min_coverage_on(write, prepared):
    row = sentence(0, 16)
    file = write([{"text": " ".join(row)}])
    whole, half, quarter = ({"coverage": share} for share in (1.0, 0.5, 0.25))
    flag, drop = prepared({"path": file}), prepared({"path": file}, action="drop")
    assert [flag.judge(one) for one in (whole, half, quarter)] == [None, None, None]
    assert [drop.judge(one) for one in (whole, half, quarter)] == ["contaminated", "contaminated", None]
    assert drop.judge({"coverage": 0.0}) is None
    assert prepared({"path": file}, action="drop", min_coverage=1.0).judge(whole) == "contaminated"
    assert flag.measured_by() == drop.measured_by()  # so another action needs no page to be read again


def test_the_index_is_written_whole_and_opens_in_another_process(write, prepared, tmp_path):
    row = sentence(0, 30)
    step = prepared({"path": write([{"text": " ".join(row)}])})
    [folder] = (tmp_path / "prepared").iterdir()
    assert {file.name for file in folder.iterdir()} == {
        "hashes.npy",
        "texts.npy",
        "sizes.npy",
        "table.npy",
        "index.json",
    }
    code = (
        "import pickle, sys; from datatrove.data import Document; step, text = pickle.load(sys.stdin.buffer); "
        "print(step.measure(Document(text=text, id='1'))); assert 'datasets' not in sys.modules"
    )
    given = pickle.dumps((step, " ".join(row)))
    done = subprocess.run([sys.executable, "-c", code], input=given, capture_output=True, cwd="/")
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().strip() == str(scores(step, " ".join(row)))


def test_an_index_that_was_half_written_is_written_again(write, prepared, tmp_path):
    row = sentence(0, 30)
    file = write([{"text": " ".join(row)}])
    prepared({"path": file})
    [folder] = (tmp_path / "prepared").iterdir()
    (folder / "index.json").unlink()  # it is the last one written
    (folder / "texts.npy").write_bytes(b"")
    ngrams.opened.cache_clear()
    assert scores(prepared({"path": file}), " ".join(row))["coverage"] == 1.0


def test_another_row_is_another_step(write, prepared):
    rows = [{"text": " ".join(sentence(seed, 20))} for seed in range(2)]
    entry = {"path": write(rows[:1])}
    before = Decontaminate(against=[entry]).measured_by()
    assert prepared(entry).measured_by() == before
    write(rows)
    assert Decontaminate(against=[entry]).measured_by() != before
    assert Decontaminate(against=[entry], ngram=10).measured_by() != before


def test_all_columns_with_words_are_looked_for_and_no_others(write, prepared):
    texts = {name: " ".join(sentence(name, 20)) for name in ("text", "list", "mapping")}
    row = {"text": texts["text"], "list": [texts["list"]], "mapping": {"inner": texts["mapping"]}}
    step = prepared({"path": write([row | {"number": 1, "numbers": [2, 3], "yes": True}])})
    assert [scores(step, text)["coverage"] for text in texts.values()] == [1.0, 1.0, 1.0]
    _, _, columns = decontaminate._read(step.against[0])
    assert columns == ["text", "list", "mapping"]


def test_mistakes_of_the_recipe():
    for options, message in (
        ({}, "against: no evaluation set"),
        ({"against": ["gsm8k"]}, "against[0]: 'gsm8k' is not a mapping"),
        ({"against": [{"task": 7}]}, "against: task: 7 is not text"),
        (
            {"against": [{"path": "x", "columns": "question"}]},
            "columns: 'question' is not a mapping or a list",
        ),
        ({"against": [{"spilt": "test"}]}, "names neither a task nor a path"),
        ({"against": [{"task": "gsm9k"}]}, "no such task; did you mean gsm8k"),
        ({"against": [{"task": "gsm8k", "spilt": "test"}]}, "spilt: no such key; did you mean split"),
        ({"against": [{"path": "x", "column": ["a"]}]}, "column: no such key; did you mean columns"),
        ({"against": [{"task": "gsm8k"}], "action": "mark"}, "action: 'mark' is not one of flag, drop"),
        ({"against": [{"task": "gsm8k"}], "min_words": 14}, "min_words: 14 is not between 1 and ngram"),
        ({"against": [{"task": "gsm8k"}], "min_coverage": 0}, "min_coverage: 0 is not a share"),
    ):
        with pytest.raises(UserMistake) as caught:
            web.find("decontaminate", options)
        assert message in str(caught.value)


def test_a_set_that_cannot_be_read_is_a_need(tmp_path):
    [need] = Decontaminate(against=[{"path": str(tmp_path / "nowhere.jsonl")}]).needs()
    assert need.found is None
    assert "there is no file or folder" in need.mend
