"""One recipe -> the command line that starts its stage.

One device needs no launcher: `python -m hfllm.stages.STAGE RECIPE` does what `accelerate launch` would, and starts
two seconds earlier."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from hfllm import keys, mistakes, places
from hfllm.errors import UserMistake
from hfllm.recipe import Recipe


def command(recipe: Recipe, overrides: list[str], launch: str | None = None) -> list[str]:
    """The words of the command. `launch`, else the recipe's own key, is a name in accelerate_configs/ or a path.

    Without one: several GPUs are used through `ddp`, one device directly. Raises `UserMistake` for an unknown name."""
    stage = ["-m", f"hfllm.stages.{recipe.stage}", str(recipe.path), *overrides]
    name = launch or recipe.values.get("launch") or _by_devices(recipe)
    if name is None:
        return [sys.executable, *stage]
    config = config_file(name)
    launcher = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", str(config)]
    return [*launcher, *_processes(config), *stage]


def name(recipe: Recipe, launch: str | None = None) -> str:
    """The launcher in a word, for the plan."""
    return launch or recipe.values.get("launch") or _by_devices(recipe) or "python"


def config_file(name: str) -> Path:
    """The accelerate config of that name or path."""
    configs = places.folder("accelerate_configs")
    file = configs / f"{name}.yaml"
    if file.exists():
        return file
    if Path(name).is_file():
        return Path(name)
    known = sorted(config.stem for config in configs.glob("*.yaml"))
    raise UserMistake(
        f"launch: {name} is no accelerate config; there are {', '.join(known)}{mistakes.near(name, known)}"
    )


def _by_devices(recipe: Recipe) -> str | None:
    """Several GPUs are for stages that train."""
    return "ddp" if keys.trains(recipe.stage) and gpus() > 1 else None


def gpus() -> int:
    """How many GPUs this process may use, without loading torch."""
    if (visible := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return len([device for device in visible.split(",") if device.strip() not in ("", "-1")])  # -1 hides them all
    if shutil.which("nvidia-smi") is None:
        return 0
    found = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=False)
    return len([line for line in found.stdout.splitlines() if line.startswith("GPU ")])


def _processes(config: Path) -> list[str]:
    """Our configs for several GPUs say eight; a machine uses those it has. A user's own config is taken as it is."""
    settings = yaml.safe_load(config.read_text(encoding="utf-8"))
    ours = config.parent == places.folder("accelerate_configs")
    if not ours or settings["use_cpu"] or settings["num_processes"] == 1 or settings["num_machines"] > 1:
        return []
    return ["--num_processes", str(count)] if (count := gpus()) else []
