"""The `datasets:` key: local files and folders, splits, columns, samples and mixtures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import Dataset

from hfllm import data
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake

ROWS = [{"question": f"q{number}", "answer": number} for number in range(10)]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))


def folder() -> str:
    Path("both").mkdir()
    for split, count in (("train", 6), ("test", 3)):
        Dataset.from_list(ROWS[:count]).to_json(f"both/{split}.jsonl")
    return "both"


def answers(**keys: object) -> list[int]:
    return data.load(DatasetConfig(**{"path": "mine.jsonl", **keys}))["answer"][:]


def test_files_of_every_kind():
    Dataset.from_list(ROWS).to_parquet("mine.parquet")
    Dataset.from_list(ROWS).to_csv("mine.csv")
    assert answers() == answers(path="mine.parquet") == answers(path="mine.csv") == list(range(10))
    assert answers(path="json", data_files="mine.jsonl") == list(range(10))
    Path("poem.txt").write_text("one\ntwo\n")
    assert data.load(DatasetConfig("poem.txt"))["text"][:] == ["one", "two"]


def test_a_folder_has_its_splits_and_a_file_has_one():
    assert len(answers(path=folder())) == 6
    assert len(answers(path="both", split="test")) == 3
    assert answers(path="both", split="train[2:4]") == [2, 3]
    assert answers(split="train[:20%]") == answers(split="mine[:2]") == [0, 1]


def test_columns_are_renamed_or_selected():
    renamed = data.load(DatasetConfig("mine.jsonl", columns={"question": "prompt", "answer": "completion"}))
    assert renamed.column_names == ["prompt", "completion"]
    assert data.load(DatasetConfig("mine.jsonl", columns=["answer"])).column_names == ["answer"]
    replaced = data.load(DatasetConfig("mine.jsonl", columns={"question": "answer"}))
    assert replaced["answer"][:2] == ["q0", "q1"]
    swapped = data.load(DatasetConfig("mine.jsonl", columns={"question": "answer", "answer": "question"}))
    assert swapped[0] == {"answer": "q0", "question": 0}


def test_a_sample_of_rows_is_always_the_same():
    sample = answers(rows=4)
    assert len(set(sample)) == 4
    assert sample == answers(rows=4) == answers(path="mine.jsonl", rows=4)
    assert sorted(sample) != list(range(4))
    assert answers(rows=99) == list(range(10))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            {"path": "none.jsonl"},
            "data set none.jsonl [train]: cannot be read.\n  there is no file or folder none.jsonl",
        ),
        ({"path": "runs/none"}, "data set runs/none [train]: cannot be read.\n  there is no file or folder runs/none"),
        ({"path": "a/b/c"}, "data set a/b/c [train]: cannot be read.\n  there is no file or folder a/b/c"),
        (
            {"path": "both", "split": "tset"},
            "data set both [tset]: Unknown split \"tset\". Should be one of ['train', 'test'].",
        ),
        ({"split": "train[:x]"}, "data set mine.jsonl [train[:x]]: Unrecognized instruction format: train[:x]"),
        (
            {"columns": {"qestion": "prompt"}},
            "mine.jsonl [train] has the columns question, answer; the recipe's `columns` names qestion.",
        ),
        ({"rows": 0}, "data set mine.jsonl [train]: has no rows."),
        ({"path": "empty.jsonl"}, "data set empty.jsonl [train]: the file is empty."),
        ({"path": "broken.jsonl"}, "data set broken.jsonl [train]: a file is broken.\n  "),
        ({"path": "mine.doc"}, "data set mine.doc: files of this kind are not read; write one of .jsonl, .json,"),
    ],
)
def test_what_cannot_be_read_is_named(keys, message):
    folder()
    Path("empty.jsonl").touch()
    Path("broken.jsonl").write_text('{"a": 1}\n{"a": \n')
    Path("mine.doc").write_text("x")
    with pytest.raises(UserMistake) as mistake:
        answers(**keys)
    assert str(mistake.value).startswith(message)


def configs(*fractions: float | None) -> list[DatasetConfig]:
    return [DatasetConfig("mine.jsonl", fraction=fraction) for fraction in fractions]


def rows(*counts: int) -> list[Dataset]:
    return [Dataset.from_dict({"number": range(count)}) for count in counts]


@pytest.mark.parametrize(
    ("counts", "fractions", "taken"),
    [
        ((100, 100), (0.75, 0.25), [100, 33]),  # the whole is 100 / .75 = 133.3
        ((100, 100), (3, 1), [100, 33]),  # shares need not add up to 1
        ((10, 1000), (0.5, 0.5), [10, 10]),
        ((30, 20, 100), (0.5, 0.25, 0.25), [30, 15, 15]),  # 60 in all: 80 and 400 would need more than there is
        ((5, 7), (None, None), [5, 7]),
    ],
)
def test_a_mixture_repeats_no_row(counts, fractions, taken):
    mixed = data.mix(rows(*counts), configs(*fractions))
    assert [len(part) for part in mixed] == taken
    assert all(len(set(part["number"][:])) == len(part) for part in mixed)


@pytest.mark.parametrize("fractions", [(0.5, None), (0.5, 0.0), (0.5, -1.0)])
def test_a_mixture_needs_every_share(fractions):
    with pytest.raises(UserMistake, match="give a positive `fraction` to every data set of the mixture, or to none"):
        data.mix(rows(3, 3), configs(*fractions))


def test_texts_are_joined_in_the_order_of_the_recipe():
    Path("a.txt").write_text("one\ntwo\n")
    both = [DatasetConfig("a.txt"), DatasetConfig("mine.jsonl", columns={"question": "text"}, split="train[:1]")]
    assert data.texts(both)["text"][:] == ["one", "two", "q0"]
    with pytest.raises(
        UserMistake, match=r"columns question, answer; this stage reads the column text.\n.*question: text"
    ):
        data.texts([DatasetConfig("mine.jsonl")])


def test_the_fingerprint_sees_keys_and_files():
    before = data.fingerprint([DatasetConfig("mine.jsonl")])
    assert before == data.fingerprint([DatasetConfig("mine.jsonl")])
    assert before != data.fingerprint([DatasetConfig("mine.jsonl", rows=3)])
    Path("mine.jsonl").write_text("{}\n")
    assert before != data.fingerprint([DatasetConfig("mine.jsonl")])


@pytest.mark.parametrize(
    ("path", "local"),
    [("runs/x", True), ("./x", True), ("a/b/c", True), ("data/x.jsonl", True), ("org/data", False), ("json", False)],
)
def test_what_can_only_be_a_path(path, local):
    assert data.looks_local(path) == local


def test_texts_are_cut_to_their_shares():
    two = [DatasetConfig("mine.jsonl", columns={"question": "text"}, fraction=fraction) for fraction in (0.75, 0.25)]
    whole, part = (len(rows) for rows in data.text_datasets(two))
    assert part == round(whole / 3)
    assert len(data.texts(two)) == whole + part


def test_a_place_tells_configurations_of_a_data_set_apart():
    assert DatasetConfig("org/data", name="easy").place == "org/data easy [train]"
    assert DatasetConfig("folder", data_dir="a", split="test").place == "folder a [test]"


def test_a_single_file_has_no_other_split(tmp_path):
    file = tmp_path / "mine.jsonl"
    file.write_text('{"text": "a"}\n{"text": "b"}\n')
    for split in ("train", "mine[:1]", "train[1:]"):
        assert data.load(DatasetConfig(str(file), split=split))
    with pytest.raises(UserMistake, match=r"a single file has one split; write  split: train\[:1\]"):
        data.load(DatasetConfig(str(file), split="test[:1]"))
