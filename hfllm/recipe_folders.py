"""What lies in a folder of recipes beside them, and how is a shipped folder copied to be edited?

The first line of each shipped recipe points the YAML language server of an editor to .schema/STAGE.json."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hfllm import keys, mistakes, places
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from hfllm.recipe import Recipe

SCHEMAS = ".schema"


def copy(name: str, target: Path) -> None:
    """A shipped folder with its schemas; its recipes write to runs/NEW. Raises `UserMistake` where it cannot be."""
    source = places.folder("recipes") / Path(name).name
    if not source.is_dir():
        known = sorted(
            folder.name for folder in places.folder("recipes").iterdir() if folder.is_dir() and folder.name[0] != "."
        )
        raise UserMistake(f"{name}: no such recipe folder; there are {', '.join(known)}{mistakes.near(name, known)}")
    if target.exists():
        raise UserMistake(f"{target}: exists already; nothing was copied")
    shutil.copytree(source, target)
    for file in [*target.glob("*.yaml"), *target.glob("*.md")]:
        text = file.read_text(encoding="utf-8").replace(f"runs/{source.name}/", f"runs/{target.name}/")
        file.write_text(text.replace(f"recipes/{source.name}", str(target)), encoding="utf-8")
    write_schemas(target / SCHEMAS)
    count = len(list(target.glob("*.yaml")))
    print(f"{target}: {count} recipes that write to runs/{target.name}. Next:  hfllm run {target}")


def write_schemas(folder: Path) -> None:
    """The JSON schemas of all stages, FOLDER/STAGE.json."""
    folder.mkdir(parents=True, exist_ok=True)
    for stage in keys.stages():
        (folder / f"{stage}.json").write_text(_schema_text(stage), encoding="utf-8")
    print(f"{folder}: the JSON schemas of {', '.join(keys.stages())}")


def refresh_schemas(recipes: Sequence[Recipe]) -> None:
    """Write the schemas that the first lines of recipes name, where they are missing or of other versions."""
    for recipe in recipes:
        file = recipe.path.parent / SCHEMAS / f"{recipe.stage}.json"
        text = _schema_text(recipe.stage)
        names_it = f"{SCHEMAS}/{file.name}" in recipe.path.read_text(encoding="utf-8").partition("\n")[0]
        if names_it and (not file.exists() or file.read_text(encoding="utf-8") != text):
            with suppress(OSError):  # an installed package may lie where its user cannot write: no completion there
                file.parent.mkdir(exist_ok=True)
                file.write_text(text, encoding="utf-8")


def _schema_text(stage: str) -> str:
    return json.dumps(keys.schema_of_stage(stage), indent=1) + "\n"
