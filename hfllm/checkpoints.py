"""Which checkpoint of a run folder can be resumed from: the last one that was written to its end.

A Trainer writes trainer_state.json last into `checkpoint-N`, so a folder without a readable one was cut off."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

from hfllm.errors import UserMistake

STATE_FILE = "trainer_state.json"


def last_complete(output_dir: Path, processes: int = 1) -> Path | None:
    """The newest checkpoint that was written to its end by all `processes`; None when there is none.

    Says aloud which newer ones are torn; they stay until `remove_torn`."""
    for folder in reversed(checkpoints(output_dir)):
        if is_complete(folder, processes):
            return folder
        print(f"{folder}: a run cannot go on from it, because it {_lack(folder, processes)}")
    return None


def remove_torn(output_dir: Path) -> None:
    """Delete checkpoints whose last file is missing, so that they do not count when old ones are rotated out.

    One that a run merely cannot go on from (`save_only_model`, another number of processes) stays."""
    for folder in checkpoints(output_dir):
        if state(folder) is None:
            shutil.rmtree(folder)


def refuse_other_launch(output_dir: Path, processes: int) -> None:
    """Raises UserMistake when one process is to go on where several were cut off, or several where one was.

    The order of the data would be another."""
    for folder in checkpoints(output_dir):
        alone, together = (folder / "rng_state.pth").is_file(), (folder / "rng_state_0.pth").is_file()
        if state(folder) is not None and (alone if processes > 1 else together):
            raise UserMistake(
                f"{folder} was written by {'one process' if alone else 'several processes'}, "
                f"and this launch has {processes}: the run would not go on as it began.\n"
                "  to mend it, launch it as before, or begin anew:   --fresh"
            )


def is_complete(folder: Path, processes: int = 1) -> bool:
    """A torn trainer_state.json is no JSON; another process may have been killed before it wrote its random state.

    A checkpoint of `save_only_model` has no random state: a run cannot go on from it as if nothing had happened."""
    if state(folder) is None:
        return False
    names = ["rng_state.pth"] if processes == 1 else [f"rng_state_{rank}.pth" for rank in range(processes)]
    return all((folder / name).is_file() for name in names)


def _lack(folder: Path, processes: int) -> str:
    if state(folder) is None:
        return "was cut off while it was written"
    return f"lacks the random state of {processes} process(es)"


def state(folder: Path) -> dict[str, Any] | None:
    """The Trainer's state in a checkpoint; None when it was not written to its end."""
    file = folder / STATE_FILE
    if not file.is_file():
        return None
    try:
        return json.loads(file.read_text())
    except json.JSONDecodeError:
        return None


def is_finished(folder: Path) -> bool:
    """Whether training had reached its last step when this checkpoint was written."""
    found = state(folder)
    return found is not None and found["global_step"] >= found["max_steps"]


def checkpoints(output_dir: Path) -> list[Path]:
    """checkpoint-2, checkpoint-10: by number of steps."""
    found = [(re.fullmatch(r"checkpoint-(\d+)", folder.name), folder) for folder in output_dir.glob("checkpoint-*")]
    return [folder for _, folder in sorted((int(match[1]), folder) for match, folder in found if match)]
