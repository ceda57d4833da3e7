"""Every shipped recipe: no mistake in it, completion in editors, a header, and its output in runs/FOLDER."""

from __future__ import annotations

from pathlib import Path

import pytest

from hfllm import course, places, recipe

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
