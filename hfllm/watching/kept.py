"""The weights that were best by audit: kept in output_dir/best, and put back when the watch stops a run.

`best` is a model folder (or an adapter's) like any other. It is written whole beside the old one and then takes its
place, so that a run that is cut off leaves the one or the other; best/watch.json says of which step it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from accelerate.utils import load_fsdp_model, save_fsdp_model
from transformers.trainer import TRAINING_ARGS_NAME, get_fsdp_ckpt_kwargs

if TYPE_CHECKING:
    from hfllm.grpo.trainer import PracticeTrainer

FOLDER, STEP = "best", "watch.json"


def keep(trainer: PracticeTrainer, step: int) -> None:
    """Save the weights of now as the best; every process calls it."""
    best = Path(trainer.args.output_dir, FOLDER)
    new = best.with_name(f"{FOLDER}.new")
    if trainer.args.should_save:
        shutil.rmtree(new, ignore_errors=True)
    trainer.accelerator.wait_for_everyone()
    trainer.save_model(str(new), _internal_call=True)  # internal: nothing is pushed to the Hub
    if trainer.is_fsdp_enabled:  # in the form in which sharded weights are loaded, too
        plugin = trainer.accelerator.state.fsdp_plugin
        save_fsdp_model(plugin, trainer.accelerator, trainer.model, str(new), **get_fsdp_ckpt_kwargs())
    trainer.accelerator.wait_for_everyone()
    if trainer.args.should_save:
        (new / TRAINING_ARGS_NAME).unlink(missing_ok=True)  # a pickle
        (new / STEP).write_text(json.dumps({"step": step}) + "\n")
        _take_the_place(new, best)
    trainer.accelerator.wait_for_everyone()


def put_back(trainer: PracticeTrainer) -> int:
    """Load the best weights into the model; returns their step. Every process calls it."""
    best = found(Path(trainer.args.output_dir))
    if trainer.is_fsdp_enabled:
        plugin = trainer.accelerator.state.fsdp_plugin
        load_fsdp_model(plugin, trainer.accelerator, trainer.model, str(best), **get_fsdp_ckpt_kwargs())
    else:
        trainer._load_from_checkpoint(str(best))
    return json.loads((best / STEP).read_text())["step"]


def found(output_dir: Path) -> Path:
    """The folder of the best weights: the old one, when the run was cut off while the new one took its place."""
    best, old = output_dir / FOLDER, output_dir / f"{FOLDER}.old"
    return best if best.exists() else old


def _take_the_place(new: Path, best: Path) -> None:
    old = best.with_name(f"{FOLDER}.old")
    if best.exists():
        shutil.rmtree(old, ignore_errors=True)
        best.rename(old)
    new.rename(best)
    shutil.rmtree(old, ignore_errors=True)
