"""peek.py: the columns of data files, and `hfllm check` refusing those that a stage cannot read."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from hfllm import cli, peek
from hfllm.data import DatasetConfig


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.jsonl").write_text('{"question": "1 + 1?", "answer": "2"}\n')
    (tmp_path / "mine.csv").write_text("question,answer\n1 + 1?,2\n")
    (tmp_path / "mine.txt").write_text("Once\n")
    (tmp_path / "broken.jsonl").write_text("{\n")
    (tmp_path / "empty.jsonl").write_text("")
    parquet.write_table(pa.table({"question": ["1 + 1?"], "answer": ["2"]}), tmp_path / "mine.parquet")


@pytest.mark.parametrize("file", ["mine.jsonl", "mine.csv", "mine.parquet"])
def test_the_columns_of_a_file_after_those_of_the_recipe(file):
    assert peek.columns(DatasetConfig(file)) == ["question", "answer"]
    assert peek.columns(DatasetConfig(file, columns={"question": "prompt"})) == ["prompt", "answer"]
    assert peek.columns(DatasetConfig(file, columns=["answer"])) == ["answer"]


def test_what_only_loading_would_tell_is_left_to_loading():
    assert peek.columns(DatasetConfig("mine.txt")) == ["text"]
    for path in ("broken.jsonl", "empty.jsonl", ".", "some/hub-id"):
        assert peek.columns(DatasetConfig(path)) is None


def test_check_tells_of_columns_before_anything_runs(tmp_path, capsys):
    recipe = "output_dir: runs/a/sft\nmodel_name_or_path: a/b\ndatasets:\n  - path: mine.jsonl\n"
    (tmp_path / "sft.yaml").write_text(recipe)
    assert cli.main(["check", "sft.yaml"]) == 2
    assert capsys.readouterr().err == (
        "sft.yaml: line 4  datasets[0]  "
        "mine.jsonl [train] has the columns question, answer; the stage sft reads one of\n"
        "    messages  |  conversations (ShareGPT)  |  instruction + output (Alpaca)  |  prompt + completion  |  text\n"
        "  to mend it, rename columns in the recipe:   columns: {question: prompt, answer: completion}\n"
    )
    (tmp_path / "sft.yaml").write_text(recipe + "    columns: {question: prompt, answer: completion}\n")
    assert cli.main(["check", "sft.yaml"]) == 0


def test_a_stage_that_reads_text_says_so(tmp_path, capsys):
    (tmp_path / "tokenizer.yaml").write_text("output_dir: runs/a/tokenizer\ndatasets:\n  - path: mine.csv\n")
    assert cli.main(["check", "tokenizer.yaml"]) == 2
    assert (
        "mine.csv [train] has the columns question, answer; this stage reads the column text."
        in capsys.readouterr().err
    )
