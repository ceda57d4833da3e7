"""The command line of a stage, with and without accelerate, and the accelerate configs that are shipped."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from hfllm import launch, places
from hfllm.errors import UserMistake
from hfllm.recipe import Recipe

CONFIGS = sorted(places.folder("accelerate_configs").glob("*.yaml"))
LAUNCHER = [sys.executable, "-m", "accelerate.commands.launch", "--config_file"]
STAGE = ["-m", "hfllm.stages.sft", "sft.yaml"]


def recipe(**values: object) -> Recipe:
    return Recipe(Path("sft.yaml"), "sft", {"output_dir": "runs/x", **values}, {}, [])


def words(monkeypatch, gpus: str, one: Recipe, name: str | None = None) -> list[str]:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
    return launch.command(one, [], name)


def ours(name: str) -> str:
    return str(places.folder("accelerate_configs") / f"{name}.yaml")


def test_one_device_needs_no_launcher(monkeypatch):
    training = recipe()
    assert words(monkeypatch, "", training) == [sys.executable, *STAGE]
    assert words(monkeypatch, "0", training) == [sys.executable, *STAGE]
    assert launch.name(training) == launch.name(recipe(launch=None)) == "python"
    world = Recipe(Path("world.yaml"), "world", {"output_dir": "runs/x"}, {}, [])  # no training stage
    assert words(monkeypatch, "0,1", world) == [sys.executable, "-m", "hfllm.stages.world", "world.yaml"]


def test_several_gpus_train_together(monkeypatch):
    command = words(monkeypatch, "0,1,2", recipe())
    assert command == [*LAUNCHER, ours("ddp"), "--num_processes", "3", *STAGE]


def test_the_command_line_goes_before_the_recipe(monkeypatch):
    assert words(monkeypatch, "", recipe(launch="ddp_cpu"), "cpu") == [*LAUNCHER, ours("cpu"), *STAGE]
    assert words(monkeypatch, "", recipe(launch="ddp_cpu")) == [*LAUNCHER, ours("ddp_cpu"), *STAGE]
    assert launch.name(recipe(launch="ddp_cpu"), "cpu") == "cpu"


def test_only_configs_for_several_gpus_get_their_number(monkeypatch):
    assert "--num_processes" not in words(monkeypatch, "0,1", recipe(), "cpu")
    assert "--num_processes" not in words(monkeypatch, "0,1", recipe(), "ddp_cpu")
    assert "--num_processes" not in words(monkeypatch, "0,1", recipe(), "gpu")
    assert words(monkeypatch, "0", recipe(), "ddp")[5:7] == ["--num_processes", "1"]
    assert words(monkeypatch, "0,1", recipe(), "fsdp2")[5:7] == ["--num_processes", "2"]


def test_a_config_of_the_user_is_taken_as_it_is(monkeypatch, tmp_path):
    mine = tmp_path / "mine.yaml"
    mine.write_text(Path(ours("ddp")).read_text())
    assert words(monkeypatch, "0,1", recipe(), str(mine)) == [*LAUNCHER, str(mine), *STAGE]


def test_overrides_follow_the_recipe(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert launch.command(recipe(), ["--seed", "1"])[-3:] == ["sft.yaml", "--seed", "1"]


def test_an_unknown_config_is_told():
    with pytest.raises(UserMistake, match=r"launch: dpp is no accelerate config; there are .*; did you mean ddp\?"):
        launch.config_file("dpp")


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("0", 1), ("0,1,", 2), ("GPU-a,GPU-b", 2), ("-1", 0)])
def test_gpus_are_counted_without_torch(monkeypatch, visible, count):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert launch.gpus() == count


@pytest.mark.parametrize("file", CONFIGS, ids=lambda file: file.stem)
def test_accelerate_reads_the_configs_that_are_shipped(file):
    from accelerate.commands.config.config_args import load_config_from_file

    config = load_config_from_file(str(file))
    assert config.num_processes >= 1
    assert ours(file.stem) in launch.command(recipe(launch=file.stem), [])
    header = file.read_text().splitlines()[0]
    assert header.startswith("# ")
    assert len(header.split()) > 4, "the header says when to use it"
