"""Where is the model that a name means? Answered before torch is imported and without a network call.

    find_model("runs/tiny/sft")  ->  "runs/tiny/sft", or a UserMistake that names what lies nearby

A model is a folder that `AutoModelForCausalLM.from_pretrained` loads (also a LoRA adapter folder), or a Hub id. Weights
are read from safetensors only: the older `.bin` files are pickles, which run code when they are opened."""

from __future__ import annotations

import difflib
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from peft import PeftModel
    from trl import ModelConfig

CONFIG_FILES = ("config.json", "adapter_config.json")


def find_model(name: str) -> str:
    """`name`, its ~ expanded, if it can be loaded: a model folder, an adapter folder whose base is there, or a Hub id.

    Offline, a Hub id must lie in the local cache; online it is returned unseen. Raises UserMistake with near names."""
    name = os.path.expanduser(name)  # Path.expanduser raises for a ~name that is no user
    folder = Path(name)
    if folder.is_dir():
        _check_folder(folder)
    elif folder.exists():
        raise UserMistake(f"model {name!r} is a file; give the folder that holds it: {folder.parent}")
    else:
        _check_hub_id(name)
    return name


def _check_folder(folder: Path) -> None:
    """Raise UserMistake unless `folder` holds a configuration and safetensors; follows an adapter to its base model."""
    if not any((folder / file).is_file() for file in CONFIG_FILES):
        inside = sorted(path.parent for file in CONFIG_FILES for path in folder.glob(f"*/{file}"))
        hint = f" Model folders inside: {', '.join(map(str, inside))}" if inside else f" It holds: {_contents(folder)}"
        raise UserMistake(f"model {str(folder)!r}: the folder has no config.json, so it is no model folder.{hint}")
    if not any(folder.glob("*.safetensors")):
        raise UserMistake(f"model {str(folder)!r}: no *.safetensors in the folder. It holds: {_contents(folder)}")
    base = adapter_base(str(folder))
    if base is not None:
        try:
            find_model(base)
        except UserMistake as mistake:
            raise UserMistake(f"model {str(folder)!r} is an adapter, and its base is missing: {mistake}") from None


def adapter_base(name: str) -> str | None:
    """The base model that a local adapter folder was trained on; None for anything else."""
    config = Path(name) / "adapter_config.json"
    return json.loads(config.read_text())["base_model_name_or_path"] if config.is_file() else None


def trained_adapter(model_args: ModelConfig, args: Any) -> PeftModel | None:
    """The model of an adapter folder, such as sft writes with `use_peft`: training goes on with the adapter.

    None for a plain model, which TRL loads itself with the `model_init_kwargs` of `args`, the trainer's arguments."""
    if adapter_base(str(model_args.model_name_or_path)) is None:
        return None
    if model_args.use_peft:
        raise UserMistake(f"use_peft: {model_args.model_name_or_path} is an adapter already, and goes on; remove it")
    from peft import AutoPeftModelForCausalLM

    options, args.model_init_kwargs = args.model_init_kwargs or {}, None  # they are for a model that TRL loads
    options = {key: value for key, value in options.items() if key != "revision"}
    return AutoPeftModelForCausalLM.from_pretrained(model_args.model_name_or_path, is_trainable=True, **options)


def _check_hub_id(name: str) -> None:
    """Raise UserMistake for what cannot be a Hub id, and, offline, for what is not in the cache."""
    from huggingface_hub import is_offline_mode, try_to_load_from_cache

    hub_id = _is_hub_id(name)
    if is_offline_mode():
        if not hub_id or not any(isinstance(try_to_load_from_cache(name, file), str) for file in CONFIG_FILES):
            where = "not in the local Hub cache (offline mode is on)"
            raise UserMistake(f"model {name!r}: no such folder, and {where}.{_near(name)}")
    elif not hub_id:
        raise UserMistake(f"model {name!r}: no such folder, and not a Hub id (owner/name).{_near(name)}")


def _is_hub_id(name: str) -> bool:
    """`owner/name` or `name`; runs/... is always a path, so that a slip of the pen never goes to the network."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError:
        return False
    return not name.startswith("runs/")


def _near(name: str) -> str:
    """` Near: runs/tiny/pretrain` for `runs/tiny/pretran`; empty when nothing on disk looks like `name`."""
    neighbours = Path(name).parent.glob("*") if Path(name).parent.is_dir() else iter(())
    folders = {str(path) for path in [*Path().glob("runs/*/*"), *neighbours] if path.is_dir()}
    matches = difflib.get_close_matches(name, sorted(folders), n=3)
    return f" Near: {', '.join(matches)}" if matches else ""


def _contents(folder: Path, most: int = 6) -> str:
    """The first file names in `folder`, for a message."""
    names = sorted(path.name for path in folder.iterdir())
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nothing"
