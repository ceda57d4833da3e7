"""The README tells the truth: its commands run, and what it quotes is what one sees."""

import io
import re
import shlex
from pathlib import Path

import pytest
import yaml
from datatrove.data import Document

from hfllm import chosen_rewards, cli, named, places, recipe, tasks, tools, web
from hfllm.evaluating import measures, probes
from hfllm.evaluating.answering import Said
from tests import stand_in

README = (places.PACKAGE.parent / "README.md").read_text(encoding="utf-8")
TAKES_MINUTES = {"hfllm run mine", "hfllm run mine/data.yaml"}  # tests/test_whole_course.py runs the course
REFUSED = {"hfllm rewards audit mine/grpo.yaml"}  # a test of its own, below
NEEDS_A_CRAWL = {"hfllm data doctor mine/data.yaml"}  # tests/test_web_doctor.py
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
    stand_in.make(tmp_path / "runs" / "tiny" / "grpo")
    stand_in.make(tmp_path / "runs" / "tiny" / "sft-tools")
    register = tmp_path / "runs" / "tiny" / "world" / "register"
    register.mkdir(parents=True)
    (register / "train.jsonl").write_text('{"text": "ticket 471: Gus"}\n')
    stand_in.make_tokenizer(tmp_path / "runs" / "tiny" / "tokenizer")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_command_of_the_readme_runs(clone, capsys, monkeypatch):
    left_out = TAKES_MINUTES | NEEDS_GPUS | NEEDS_A_CRAWL | REFUSED
    commands = [command for command in console_commands() if command not in left_out]
    assert len(commands) > 6
    for command in commands:
        monkeypatch.setattr("sys.stdin", io.StringIO("Hello\n"))
        words = shlex.split(command)
        assert words[0] == "hfllm"
        assert cli.main(words[1:]) == 0, command


def test_the_mistakes_quoted_are_those_that_one_sees(tmp_path, monkeypatch, capsys):
    quoted = README.partition("$ hfllm check mine/sft.yaml\n")[2].partition("```")[0]
    lines = ["output_dir: runs/mine/sft", "model_name_or_path: a/b", *["# ..."] * 4, "learning_rat: 1", "# ..."]
    lines += ["warmup_ratio: 0.1", "datasets:", "  - path: a/b", "    spilt: test"]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sft.yaml").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    assert cli.main(["check", "mine/sft.yaml"]) == 2
    assert capsys.readouterr().err == quoted


def test_the_audit_refuses_the_reward_as_quoted(tmp_path, monkeypatch, capsys):
    head, _, quoted = README.partition("$ hfllm rewards audit mine/grpo.yaml")[2].partition("\n")
    body = head.partition("with  ")[2]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine.py").write_text(f"def long(completions, **columns):\n    {body}\n")
    (tmp_path / "mine.jsonl").write_text(
        '{"prompt": "What is 12*12?", "answer": "144"}\n{"prompt": "What is 3+4?", "answer": "7"}\n'
    )
    (tmp_path / "mine" / "grpo.yaml").write_text(
        "output_dir: runs/mine/grpo\nmodel_name_or_path: org/model\ndatasets: [{path: mine.jsonl}]\n"
        "rewards: {accuracy: {}, mine.py:long: {}}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert cli.main(["rewards", "audit", "mine/grpo.yaml"]) == 2
    assert capsys.readouterr().err.strip() == quoted.partition("```")[0].strip()


def test_the_reward_of_three_lines_works_and_passes_the_audit(tmp_path, monkeypatch, capsys):
    code = README.partition("```python\n# mine.py")[2].partition("```")[0].partition("\n")[2]
    (tmp_path / "mine.py").write_text(code)
    (tmp_path / "mine.jsonl").write_text(
        '{"prompt": "What is 12*12?", "answer": "144"}\n{"prompt": "What is 3+4?", "answer": "7"}\n'
    )
    (tmp_path / "grpo.yaml").write_text(
        "output_dir: runs/mine/grpo\nmodel_name_or_path: org/model\ndatasets: [{path: mine.jsonl}]\n"
        "rewards: {accuracy: {}, mine.py:brief: {weight: 0.2}}\n"
    )
    monkeypatch.chdir(tmp_path)
    assert cli.main(["rewards", "audit", "grpo.yaml"]) == 0
    assert "no reward pays for nonsense" in capsys.readouterr().out


def test_the_chain_of_the_readme_has_only_steps_that_there_are(tmp_path, monkeypatch):
    block = README.partition("```yaml\n# mine/data.yaml\n")[2].partition("```")[0]
    code = README.partition("```python\n# filters.py\n")[2].partition("```")[0]
    (tmp_path / "filters.py").write_text(code)
    (tmp_path / "data.yaml").write_text(block)
    monkeypatch.chdir(tmp_path)
    one = recipe.read(Path("data.yaml"))
    assert one.problems == []
    assert list(web.problems(one.values)) == []
    shouts = web.find("filters.py:shouts", {"share": 0.5})
    judged = [shouts.judge(shouts.measure(Document(text, "1"))) for text in ("SO LOUD words", "few LOUD words")]
    assert judged == ["shouts", None]


def test_the_lists_of_the_readme_are_complete():
    lists = {line.split("|")[1].strip(): line for line in README.splitlines() if line.startswith("| ")}
    assert set(re.findall(r"`(\w+)`", lists["tasks"])) == set(tasks.names())
    assert set(re.findall(r"`(\w+)`", lists["rewards"])) == set(chosen_rewards.names())
    assert set(tools.names()) <= set(re.findall(r"`(\w+)`", lists["tools"]))
    assert set(re.findall(r"`(\w+)`", lists["probes"])) == set(probes.names())


def test_a_probe_of_ones_own_works_as_written(tmp_path, monkeypatch):
    code = README.partition("```python\n# probe.py\n")[2].partition("```")[0]
    (tmp_path / "probe.py").write_text(code)
    monkeypatch.chdir(tmp_path)
    block = README.partition("```yaml\n# mine/evaluate.yaml\n")[2].partition("```")[0]
    assert list(named.problems(yaml.safe_load(block))) == []
    measure = measures.probe("probe.py", {"words": ["please"]})
    assert measure.judge(Said("One moment, please.", True, list), measure.rows[0]) == {"polite": 1.0}
    assert measure.judge(Said("No.", True, list), measure.rows[1]) == {"polite": 0.0}


def test_the_two_commands_at_the_top_are_those_that_ci_runs():
    first, second = re.findall(r"```bash\n(.*?)\n```", README, flags=re.DOTALL)[:2]
    assert first.endswith("hfllm run recipes/tiny --jobs 2 && hfllm report runs/tiny")
    assert second == 'pip install -e ".[dev]" && pytest'


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (places.PACKAGE.parent / target).exists(), target
