"""Every shipped recipe: no mistake in it, completion in editors, a header, and its output in runs/FOLDER."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hfllm import course, keys, places, recipe
from tests import stand_in

FOLDERS = sorted(folder for folder in places.folder("recipes").iterdir() if folder.is_dir() and folder.name[0] != ".")
RECIPES = [file for folder in FOLDERS for file in sorted(folder.glob("*.yaml"))]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_folder_is_a_course_without_a_mistake(folder, monkeypatch, tmp_path):
    files = course.recipe_files([str(folder)])
    monkeypatch.chdir(tmp_path)  # nothing has been run yet here: every path is made by a recipe
    recipes, problems = course.check(files)
    assert {file: recipe.report(file, found) for file, found in problems.items()} == {}
    assert len(course.plan(recipes)) == len(files)


@pytest.mark.parametrize("file", RECIPES, ids=lambda file: f"{file.parent.name}/{file.name}")
def test_a_recipe_has_its_head_and_its_place(file: Path):
    first, *rest = file.read_text(encoding="utf-8").splitlines()
    stage = recipe.stage_of(file)
    assert first == f"# yaml-language-server: $schema=.schema/{stage}.json"
    header = rest[: next(number for number, line in enumerate(rest) if line and not line.startswith("#"))]
    assert len([line for line in header if len(line) > 2]) >= 2, "what it does, and how it is started"
    assert any(f"recipes/{file.parent.name}/{file.name}" in line for line in header)
    output = recipe.read(file).output_dir
    assert output.parts[:2] == ("runs", file.parent.name)
    assert len(output.parts) == 3


GSM8K_ROWS = [
    {"question": f"Tom has {n} apples and gets one.", "answer": f"{n}+1={n + 1}\n#### {n + 1}"} for n in range(8)
]


@pytest.mark.parametrize("folder", ["gemma-3-270m", "smollm2-135m", "qwen3-0.6b"])
def test_practice_on_gsm8k_takes_two_steps_on_a_stand_in(folder, tmp_path):
    model = stand_in.make(tmp_path / "model")
    data = tmp_path / "gsm8k"
    data.mkdir()
    for split in ("train", "test"):
        (data / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in GSM8K_ROWS))
    changes = {
        **{"output_dir": str(tmp_path / "out"), "model_name_or_path": str(model), "bf16": False, "max_steps": 2},
        **{"per_device_train_batch_size": 8, "gradient_accumulation_steps": 1, "per_device_eval_batch_size": 4},
        **{"max_completion_length": 8, "eval_steps": 2, "logging_steps": 1, "warmup_steps": 0},
        "tasks": [{"name": "gsm8k", "path": str(data)}],
        "eval_tasks": [{"name": "gsm8k", "path": str(data), "split": "test", "rows": 4}],
    }
    words = [word for key, value in changes.items() for word in (f"--{key}", json.dumps(value))]
    one = recipe.read(places.folder("recipes") / folder / "grpo.yaml", words)
    one.complain()
    main = keys.module_of_stage("grpo").main
    numbers = main(**recipe.arguments(main, one))
    assert numbers["steps"] == 2
    assert "eval_pass@4" in numbers
