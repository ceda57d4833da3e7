"""The README tells the truth: its commands run, and what it quotes is what one sees."""

import io
import re
import shlex

import pytest

from hfllm import cli, places
from tests import stand_in

README = (places.PACKAGE.parent / "README.md").read_text(encoding="utf-8")
TAKES_MINUTES = {"hfllm run mine"}  # tests/test_whole_course.py runs the course
NEEDS_GPUS = {
    "accelerate launch --config_file accelerate_configs/ddp.yaml -m hfllm.stages.sft mine/sft.yaml --learning_rate 1e-4"
}


def console_commands() -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [line[2:].split("   #")[0].strip() for line in lines]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder like a clone in which the course has run, with stand-ins for its models."""
    (tmp_path / "recipes").symlink_to(places.folder("recipes"))
    stand_in.make(tmp_path / "runs" / "tiny" / "sft")
    stand_in.make(tmp_path / "runs" / "tiny" / "pretrain")
    stand_in.make_tokenizer(tmp_path / "runs" / "tiny" / "tokenizer")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_readme_runs(clone, capsys, monkeypatch):
    commands = [command for command in console_commands() if command not in TAKES_MINUTES | NEEDS_GPUS]
    assert len(commands) > 6
    for command in commands:
        monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n"))
        words = shlex.split(command)
        assert words[0] == "hfllm"
        assert cli.main(words[1:]) == 0, command


def test_the_mistakes_quoted_are_those_that_one_sees(tmp_path, monkeypatch, capsys):
    quoted = README.partition("$ hfllm check mine/sft.yaml\n")[2].partition("```")[0]
    recipe = ["output_dir: runs/mine/sft", "model_name_or_path: a/b", *["# ..."] * 4, "learning_rat: 1", "# ..."]
    recipe += ["warmup_ratio: 0.1", "datasets:", "  - path: a/b", "    spilt: test"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sft.yaml").write_text("\n".join(recipe))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "mine/sft.yaml"]) == 2
    assert capsys.readouterr().err == quoted


def test_the_two_commands_at_the_top_are_those_that_ci_runs():
    first, second = re.findall(r"```bash\n(.*?)\n```", README, flags=re.DOTALL)[:2]
    assert first.endswith("hfllm run recipes/tiny")
    assert second == 'pip install -e ".[dev]" && pytest'


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (places.PACKAGE.parent / target).exists(), target
