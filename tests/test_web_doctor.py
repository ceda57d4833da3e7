"""What a recipe of the stage `data` needs, and which steps there are: `hfllm data doctor` and `hfllm data steps`."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

import pytest

from hfllm import keys, web
from hfllm.cli import main
from hfllm.stages.data import DataConfig
from hfllm.web import doctor

RECIPE = """\
output_dir: out/data
inputs: [crawl]
steps:
  - gopher_quality
  - pii: {kinds: [email]}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("crawl").mkdir()
    for number in range(3):
        Path(f"crawl/{number}.jsonl").write_text(json.dumps({"text": "x" * 988}) + "\n")  # 1,001 bytes


def write(text: str) -> str:
    Path("data.yaml").write_text(text)
    return "data.yaml"


def test_when_all_is_there_it_says_so_with_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "doctor", write(RECIPE)]) == 0
    told = capsys.readouterr().out
    for line in (f"package datatrove {version('datatrove')}", "input files 3, 3.0 kB", "workers", "free in"):
        assert line in " ".join(told.split())
    assert "missing" not in told


def test_it_tells_all_that_is_missing_and_how_to_get_it(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = RECIPE.replace("[crawl]", "[nowhere/*.warc.gz]") + "truth: nowhere/truth.jsonl\ntokenizer: ./nowhere\n"
    assert main(["data", "doctor", write(recipe)]) == 2
    told = capsys.readouterr().out
    assert told.count(": missing.\n") == 3
    for what in ("nowhere/*.warc.gz", "nowhere/truth.jsonl", "write  tokenizer: null"):
        assert what in told
    assert "pyarrow" in told  # what is there is told, too


def test_what_a_step_needs_stands_under_its_key(capsys: pytest.CaptureFixture[str]) -> None:
    recipe = RECIPE + "  - decontaminate: {against: [{path: nowhere.jsonl}]}\n"
    assert main(["data", "doctor", write(recipe)]) == 2
    told = capsys.readouterr().out
    assert "\ndecontaminate: " in told
    assert "nowhere.jsonl" in told


def test_slurm_needs_its_commands_on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["--executor", "slurm", "--executor_options", "{partition: cpu, time: '1:00:00'}"]
    config = doctor.read(Path(write(RECIPE)), options)
    monkeypatch.setenv("PATH", str(Path("bin").absolute()))
    assert [need.what for need in doctor.executor(config) if need.found is None] == ["sbatch", "squeue"]
    Path("bin").mkdir()
    for command in ("sbatch", "squeue"):
        Path("bin", command).write_text("#!/bin/sh\n")
        Path("bin", command).chmod(0o755)
    assert all(need.found for need in doctor.executor(config))


def test_a_package_that_is_not_installed_is_missing() -> None:
    assert doctor.package("no-such-package-of-anybody", extra="ray").mend == "pip install 'hfllm[ray]'"
    assert doctor.package("no-such-package-of-anybody").found is None
    assert doctor.file_system("nonsense").found is None


def test_the_disk_must_have_room_for_as_much_as_the_inputs() -> None:
    config = DataConfig(output_dir="a/b/c", steps=["pii"])
    assert doctor.disk(config, 3).found is not None
    assert doctor.disk(config, 10**18).found is None  # an exabyte


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (RECIPE.replace("pii", "pi"), "line 5  steps[1].pi  step pi: no such step; did you mean pii?"),
        (RECIPE.replace("kinds", "kind"), "did you mean kinds?"),
        (RECIPE.replace("inputs", "input"), "did you mean inputs?"),
        (RECIPE + "workers: 0\n", "workers: 0 is too few"),
    ],
)
def test_mistakes_of_the_recipe_come_first(recipe: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "doctor", write(recipe)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["doctor"], "name a recipe"),
        (["doctor", "sft.yaml"], "a recipe of the stage sft"),
        (["doctor", "nowhere/data.yaml"], "no such file"),
        (["steps", "piii"], "did you mean pii?"),
        (["steps", "pii", "--nonsense"], "--nonsense: not understood"),
    ],
)
def test_what_it_cannot_do_is_told(words: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words]) == 2
    assert message in capsys.readouterr().err


def test_every_step_is_shown_with_every_option_its_default_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "steps"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if line[0] != " "] == [*web.names(), "Each"]
    assert "    kinds  list of text, default [email, iban, credit_card, ip, phone]" in lines
    for name in web.names():
        assert web.class_of(name).__doc__
        for option, entry in keys.properties_of(web.class_of(name)).items():
            assert entry["description"].endswith("."), (name, option)


def test_one_step_is_shown_with_all_that_its_docstring_says(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "steps", "pii"]) == 0
    told = capsys.readouterr().out
    assert "2406.17557" in told
    assert "    max_lost  number, default 0.95" in told


@pytest.mark.parametrize(
    ("count", "told"), [(988, "988 bytes"), (1_234_567, "1.2 MB"), (44_000_000_000_000, "44.0 TB")]
)
def test_sizes_are_told_in_decimal_units(count: int, told: str) -> None:
    assert doctor.size(count) == told
