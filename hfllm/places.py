"""Where the project's recipes and accelerate configs lie: beside the package in a clone, inside it in a wheel."""

import os
from pathlib import Path

PACKAGE = Path(__file__).parent


def folder(name: str) -> Path:
    """folder("recipes") is the folder of the shipped recipes."""
    inside = PACKAGE / name
    return inside if inside.is_dir() else PACKAGE.parent / name


def find(name: str) -> Path:
    """A path of the user, else the project's own file of that name: find("hfllm/templates/chatml.jinja")."""
    path = Path(os.path.expanduser(name))  # Path.expanduser raises for a ~name that is no user
    shipped = PACKAGE.parent / name
    return shipped if not path.exists() and name.startswith("hfllm/") else path
