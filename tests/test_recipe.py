"""Recipes: every mistake at once, with its line and its mend; overrides; and what reaches a stage's `main`."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from hfllm import recipe
from hfllm.cli import main

GOOD = """\
output_dir: runs/mine/sft
model_name_or_path: org/model
datasets:
  - path: org/data
    split: train
learning_rate: 2e-5
eval_strategy: no
packing: true
model_init_kwargs: {use_cache: false}
report_to: [none]
"""


def write(folder: Path, text: str, name: str = "sft.yaml") -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def said(folder: Path, text: str, *overrides: str) -> list[tuple[int | None, str, str]]:
    """Line, key and message of each problem of a recipe that is good but for the lines in `text`."""
    read = recipe.read(write(folder, text + "output_dir: runs/x\n"), overrides)
    return [(problem.line, problem.key, problem.message) for problem in read.problems]


def values(folder: Path, text: str, *overrides: str) -> dict[str, object]:
    read = recipe.read(write(folder, text + "output_dir: runs/x\n"), overrides)
    assert read.problems == []
    return read.values


def test_the_messages_to_aim_for(tmp_path, capsys):
    text = (
        "output_dir: runs/x\nmodel_name_or_path: org/m\ndatasets:\n- path: org/d\n  spilt: test\nlearning_rat: 1e-4\n"
        "warmup_ratio: 0.1\npacking: 3\n"
    )
    file = write(tmp_path, text)
    assert main(["check", str(file)]) == 2
    assert capsys.readouterr().err.splitlines() == [
        f"{file}: 4 problems",
        "  line 5  datasets[0].spilt  no such key; did you mean split?",
        "  line 6  learning_rat       no such key; did you mean learning_rate?",
        "  line 7  warmup_ratio       gone since transformers 5: write  warmup_steps: 0.1  "
        "(below 1 it is a share of the steps)",
        "  line 8  packing            3 is not true or false",
    ]


def test_one_problem_is_one_line(tmp_path, capsys):
    file = write(tmp_path, "output_dir: runs/x\nlearning_rate: 1e-4\nseed: 1\nlearning_rate: 2e-4\n")
    assert main(["check", str(file)]) == 2
    assert capsys.readouterr().err == f"{file}: line 2  learning_rate  given twice (line 2 and line 4)\n"


@pytest.mark.parametrize(
    ("line", "key", "message"),
    [
        ("packing: 3", "packing", "3 is not true or false"),
        ("packing: yes", "packing", "'yes' is not true or false"),
        ("num_train_epochs: [1]", "num_train_epochs", "a list is not a number"),
        ("max_length: 12.5", "max_length", "12.5 is not a whole number"),
        ("max_length: true", "max_length", "true is not a whole number"),
        ("learning_rate: fast", "learning_rate", "'fast' is not a number"),
        ("learning_rate:", "learning_rate", "null is not a number"),
        ("datasets: org/data", "datasets", "'org/data' is not a list: write  [{path: org/data}]"),
        ("datasets: null", "datasets", "null is not a list: write  []  for none"),
        ("lora_target_modules: all-linear", "lora_target_modules", "'all-linear' is not a list: write  [all-linear]"),
        ("datasets: [org/data]", "datasets[0]", "'org/data' is not a mapping"),
        ("datasets: [{split: train}]", "datasets[0].path", "missing: this key has no default"),
        ("datasets: [{path: a, rows: many}]", "datasets[0].rows", "'many' is not a whole number"),
        ("lora_target_modules: [1]", "lora_target_modules[0]", "1 is not text"),
        ("eval_strategy: never", "eval_strategy", "'never' is not one of no, steps, epoch"),
        ("eval_strategy: step", "eval_strategy", "'step' is not one of no, steps, epoch; did you mean steps?"),
        ("eval_strategy: false", "eval_strategy", "false is not one of no, steps, epoch"),
        ("optim: adamw_torc", "optim", "'adamw_torc' is not one of its 43 choices; did you mean adamw_torch?"),
        ("<<: {seed: 1}", "<<", "merge keys are not read: write the keys out"),
        ("1: 2", "1", "no such key"),
        ("trust_remote_code: true", "trust_remote_code", "refused: hfllm does not run code that comes with a model"),
        (
            "hub_token: hf_abc",
            "hub_token",
            "refused: a token does not belong into a file; log in with  hf auth login  or set HF_TOKEN",
        ),
    ],
)
def test_a_wrong_value_says_what_was_expected(tmp_path, line, key, message):
    found = said(tmp_path, line + "\n")
    if key == "optim":  # how many there are is upstream's business
        found = [(number, name, text.replace(text.split()[6], "43")) for number, name, text in found]
    assert found == [(1, key, message)]


def test_code_and_tokens_are_refused_wherever_they_hide(tmp_path):
    assert said(tmp_path, "trust_remote_code: false\n") == []
    assert "refused" in said(tmp_path, "model_init_kwargs:\n  trust_remote_code: true\n")[0][2]
    assert "refused" in said(tmp_path, "model_init_kwargs: '{\"trust_remote_code\": true}'\n")[0][2]
    assert "refused" in said(tmp_path, "model_init_kwargs: {token: hf_abc}\n")[0][2]
    refusal = said(tmp_path, "push_to_hub_token: hf_abc\n")[0][2]
    assert "refused" in refusal
    assert "hf_abc" not in refusal
    assert "refused" in said(tmp_path, "", "--hub_token", "hf_abc")[0][2]
    assert said(tmp_path, "datasets: [{path: a, columns: {token: text}}]\n") == []  # a column of that name


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[("2e-5", 2e-5), ("1e-4", 1e-4), ("2.0E+1", 20.0), (".5", 0.5), ("3", 3), ("1_000", 1000)],
        *[("010", 10), ("08", 8), ("0x10", 16), ("-1", -1), (".inf", float("inf"))],
    ],
)
def test_numbers_are_numbers(tmp_path, text, value):
    assert values(tmp_path, f"learning_rate: {text}\n")["learning_rate"] == value


def test_words_stay_words(tmp_path):
    assert values(tmp_path, "eval_strategy: no\nsave_strategy: epoch\nrun_name: 1:30\n") == {
        "eval_strategy": "no",
        "save_strategy": "epoch",
        "run_name": "1:30",
        "output_dir": "runs/x",
    }


def test_a_missing_output_dir_is_told_with_an_example(tmp_path):
    (problem,) = recipe.read(write(tmp_path, "# mine\nseed: 1\n")).problems
    assert (problem.key, problem.line) == ("output_dir", 2)
    assert problem.message == "missing: the folder that this stage writes, e.g.  output_dir: runs/mine/sft"
    (problem,) = recipe.read(write(tmp_path, "output_dir: null\n")).problems  # would be a folder named None
    assert problem.message == "null is not text"


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"", 1, "a recipe is made of lines  key: value"),
        (b"# nothing\n", 1, "a recipe is made of lines  key: value"),
        (b"- a\n- b\n", 1, "a recipe is made of lines  key: value"),
        (b"just words\n", 1, "a recipe is made of lines  key: value"),
        (b"seed: 1\n\tpacking: true\n", 2, "not YAML: while scanning for the next token, found character '\\t'"),
        (b"seed: 1\ndatasets: [a\n", 3, "not YAML: while parsing a flow sequence, expected ',' or ']'"),
        (b"seed: 1\n---\nseed: 2\n", 2, "not YAML: expected a single document in the stream, but found another"),
        (b"seed: !!int x\n", 1, "not YAML: the tag tag:yaml.org,2002:int is not read"),
        (b"a: !!python/object:os.system x\n", 1, "not YAML: the tag tag:yaml.org,2002:python/object:os.system"),
        (b"seed: *nowhere\n", 1, "not YAML: found undefined alias"),
        (b"a: &a [*a]\n", 1, "not YAML: an anchor that holds itself"),
        (b"? [a]\n: 1\n", 1, "not YAML: while constructing a mapping, found unhashable key"),
        (b"run_name: \xff\xfe\n", None, "not YAML: 'utf-8' codec can't decode byte 0xff"),
        (b"run_name: \x00\n", None, "not YAML: unacceptable character #x0000"),
    ],
)
def test_what_is_no_recipe_is_told_with_its_line(tmp_path, content, line, message):
    file = tmp_path / "sft.yaml"
    file.write_bytes(content)
    (problem,) = recipe.read(file).problems
    assert problem.line == line
    assert problem.message.startswith(message)


def test_a_folder_and_a_missing_file_are_told(tmp_path):
    write(tmp_path, GOOD)
    (problem,) = recipe.read(tmp_path, stage="sft").problems
    assert problem.message == f"a folder, not a recipe; write  hfllm run {tmp_path}"
    (problem,) = recipe.read(tmp_path / "stf.yaml", stage="sft").problems
    assert problem.message == "no such file; did you mean sft.yaml?"


def test_anchors_are_read(tmp_path):
    read = values(tmp_path, "datasets: &all\n  - path: org/data\neval_datasets: *all\n")
    assert read["eval_datasets"] == [{"path": "org/data"}]


def test_overrides(tmp_path):
    text = "learning_rate: 1e-4\nmodel_init_kwargs:\n"
    words = ["--learning_rate", "2e-5", "--max_length=128", "--packing", "--run_name", "7", "--seed", "-1"]
    words += ["--model_init_kwargs.use_cache", "false", "--report_to", "[none]", "--eval_strategy", "no"]
    read = values(tmp_path, text, *words)
    assert read["learning_rate"] == 2e-5
    assert read["max_length"] == 128
    assert read["packing"] is True
    assert read["run_name"] == "7"  # only text fits this key
    assert read["seed"] == -1
    assert read["model_init_kwargs"] == {"use_cache": False}
    assert read["report_to"] == ["none"]
    assert read["eval_strategy"] == "no"


@pytest.mark.parametrize(
    ("words", "key", "message"),
    [
        (["--learning_rat", "1e-4"], "--learning_rat", "no such key; did you mean learning_rate?"),
        (["--learning_ra=1e-4"], "--learning_ra", "no such key; did you mean learning_rate?"),
        (["--learning_rate", "fast"], "--learning_rate", "'fast' is not a number"),
        (["--learning_rate", "--packing"], "--learning_rate", "true is not a number"),
        (["--packing", "3"], "--packing", "3 is not true or false"),
        (["--warmup_ratio", "0"], "--warmup_ratio", "gone, and off here: remove it"),
        (["--datasets", "[{path: a, spilt: b}]"], "--datasets[0].spilt", "no such key; did you mean split?"),
        (["--datasets.path", "x"], "--datasets", "a mapping is not a list"),
        (["--datasets", "[{"], "--datasets", "'[{' is not a list"),
        (["1e-4"], "1e-4", "an override is written  --key value"),
        (["--"], "--", "no such key"),
    ],
)
def test_a_wrong_override_is_told(tmp_path, words, key, message):
    assert said(tmp_path, "", *words) == [(None, key, message)]


def test_an_override_mends_what_the_file_has_wrong(tmp_path):
    text = "packing: 3\ndatasets: [{path: a, spilt: b}]\n"
    assert len(said(tmp_path, text)) == 2
    assert said(tmp_path, text, "--packing", "false", "--datasets", "[{path: b}]") == []
    assert recipe.read(write(tmp_path, "seed: 1\n"), ["--output_dir", "runs/x"]).problems == []


@dataclass
class Part:
    path: str
    share: float = 1.0


@dataclass
class Config:
    output_dir: str = field(metadata={"help": "Where to."})
    parts: list[Part] = field(default_factory=list, metadata={"help": "Parts."})
    best: Part | None = field(default=None, metadata={"help": "One part."})
    rate: float = field(default=0.5, metadata={"help": "A number."})


def stage_main(config: Config) -> dict[str, object]:
    return {"rate": config.rate}


def test_main_gets_its_dataclasses(tmp_path):
    values = {
        "output_dir": "x",
        "parts": [{"path": "a", "share": 2}],
        "best": {"path": "b"},
        "rate": 1,
        "launch": "cpu",
    }
    given = recipe.Recipe(tmp_path / "stage.yaml", "stage", values, {}, [])
    config = recipe.arguments(stage_main, given)["config"]
    assert config == Config("x", [Part("a", 2.0)], Part("b"), 1.0)
    assert isinstance(config.rate, float)
    assert isinstance(config.parts[0].share, float)


def test_the_stage_is_the_name_before_the_dash():
    assert recipe.stage_of(Path("recipes/mine/sft-idk-2.yaml")) == "sft"


def test_no_text_makes_reading_raise(tmp_path):
    """Whatever a file holds, reading ends with values or with problems."""
    rng = random.Random(0)
    pieces = [
        *"[]{}:,-#&*!|>'\"%@`?\n\t ~<",
        "\n  ",
        ": ",
        "- ",
        "null",
        "1e",
        "!!int",
        "&a ",
        "*a",
        "08",
        "0x",
        "\x85",
    ]
    pieces += [
        "dataset_mixer: {a: b}\n",
        "dataset_mixture: {datasets: [1, {id: 2}]}\n",
        "dataset: [[]]\n",
        "token: {}\n",
    ]
    pieces += ["lora_target: {a: 1}\n", "warmup_ratio: []\n", "? [a]\n", "<<: *a\n", "adapter: [x]\n", "é", "\ufeff"]
    file = tmp_path / "sft.yaml"
    for _ in range(400):
        text = GOOD
        for _ in range(rng.randint(1, 6)):
            start = rng.randrange(len(text) + 1)
            text = text[:start] + rng.choice(pieces) + text[start + rng.choice((0, 0, 1, 5)) :]
        file.write_text(text, encoding="utf-8")
        read = recipe.read(file, rng.choice(([], ["--model_init_kwargs.a.b", "1"], ["--seed", text[:9]])))
        assert read.problems or read.values
        assert recipe.report(file, read.problems) if read.problems else True


@pytest.mark.parametrize("model", ["runs/x", "runs/x/checkpoint-5"])
def test_what_a_recipe_writes_it_cannot_read(tmp_path, model):
    found = said(tmp_path, f"model_name_or_path: {model}\n")
    assert found == [
        (2, "output_dir", f"the recipe reads {model} from the folder that it writes; write another folder")
    ]


def test_where_to_resume_is_not_for_a_recipe_to_say(tmp_path):
    assert said(tmp_path, "resume_from_checkpoint: runs/y\n")[0][2].startswith("not needed: a run that was cut off")
    assert said(tmp_path, "resume_from_checkpoint: null\n") == []
