"""The command line: what it imports, its exit statuses, `hfllm cp`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hfllm import keys, places
from hfllm.cli import main

HEAVY = ("torch", "transformers", "trl", "datasets", "peft", "accelerate", "rich", "yaml")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def hfllm(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "import sys; from hfllm.cli import main; sys.exit(main())", *words]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_help_imports_nothing():
    program = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([name for name in {HEAVY} if name in sys.modules]))\n"
        "from hfllm.cli import main; main(['--help'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    for verb in ("run", "check", "keys", "cp", "rewards", "tokens", "chat"):
        assert f"\n    {verb} " in done.stdout


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ([], 0),
        (["--version"], 0),
        (["--nonsense"], 2),
        (["nonsense"], 2),
        (["check"], 2),
        (["check", "nowhere"], 2),
        (["run", "nowhere"], 2),
        (["keys"], 2),
        (["keys", "world", "seed", "--nonsense"], 2),
        (["keys", "world", "seed"], 0),
    ],
)
def test_exit_statuses(words, status, capsys):
    with pytest.raises(SystemExit) as end:
        sys.exit(main(words))  # argparse ends by itself
    assert (end.value.code or 0) == status
    captured = capsys.readouterr()
    assert captured.out + captured.err


def test_a_crash_of_ours_is_no_mistake_of_the_user():
    Path("sft.yaml").mkdir()
    Path("sft.yaml/world.yaml").write_text("output_dir: runs/x\n")
    assert main(["check", "sft.yaml"]) == 0  # a folder with the name of a recipe is a folder


def test_a_reader_that_has_enough_ends_it_quietly():
    keys.schema_of_stage("sft")
    command = [sys.executable, "-m", "hfllm", "keys", "sft", "--json-schema"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 141


def test_a_recipe_folder_is_copied(capsys):
    assert main(["cp", "tiny", "mine"]) == 0
    said = capsys.readouterr().out.splitlines()
    shipped = sorted(places.folder("recipes").glob("tiny/*.yaml"))
    assert said[-1] == f"mine: {len(shipped)} recipes that write to runs/mine. Next:  hfllm run mine"
    assert sorted(file.name for file in Path("mine").glob("*.yaml")) == [file.name for file in shipped]
    for file in shipped:
        text = Path("mine", file.name).read_text()
        assert "tiny/" not in text
        assert "output_dir: runs/mine/" in text
        assert Path("mine/.schema", f"{file.stem.split('-')[0]}.json").exists()
    assert main(["check", "mine"]) == 0
    assert main(["run", "mine", "--dry-run"]) == 0
    assert main(["cp", "tiny/", "deep/in/yours"]) == 0
    assert "output_dir: runs/yours/world" in Path("deep/in/yours/world.yaml").read_text()


def test_nothing_is_overwritten(capsys):
    Path("mine").mkdir()
    assert main(["cp", "tiny", "mine"]) == 2
    assert capsys.readouterr().err == "mine: exists already; nothing was copied\n"
    assert list(Path("mine").iterdir()) == []
    assert main(["cp", "tinny", "yours"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("tinny: no such recipe folder; there are ")
    assert said.endswith("; did you mean tiny?\n")
    assert not Path("yours").exists()


def test_schemas_are_written_for_recipes_that_name_them():
    Path("world.yaml").write_text("# yaml-language-server: $schema=.schema/world.json\noutput_dir: runs/x\n")
    Path("world-plain.yaml").write_text("output_dir: runs/y\n")
    assert main(["check", "world-plain.yaml"]) == 0
    assert not Path(".schema").exists()
    assert main(["check", "world.yaml"]) == 0
    assert Path(".schema/world.json").exists()


def test_a_stage_by_hand_has_the_same_checks():
    Path("world.yaml").write_text("output_dir: runs/x\nsede: 1\n")
    command = [sys.executable, "-m", "hfllm.stages.world"]
    done = subprocess.run([*command, "world.yaml"], capture_output=True, text=True, check=False)
    assert done.stderr == "world.yaml: line 2  sede  no such key; did you mean seed?\n"
    assert done.returncode == 2
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "usage: accelerate launch -m hfllm.stages.world RECIPE.yaml" in done.stderr
    assert done.returncode == 2


def test_only_the_first_of_several_processes_runs_a_stage_that_does_not_train(monkeypatch, tmp_path):
    (tmp_path / "world.yaml").write_text(f"output_dir: {tmp_path}/world\n")
    command = [sys.executable, "-m", "hfllm.stages.world", str(tmp_path / "world.yaml")]
    second = subprocess.run(command, env={**os.environ, "RANK": "1", "WORLD_SIZE": "2"}, check=False)
    assert second.returncode == 0
    assert not (tmp_path / "world").exists()
