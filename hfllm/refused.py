"""Keys that are alive upstream but must not stand in a recipe, or not so; those that are gone are in renamed.py."""

from __future__ import annotations

from typing import Any

from hfllm.renamed import GONE


def forbidden(key: str, value: Any) -> str | None:
    """Why a key that upstream has must not stand in a recipe."""
    if key == "trust_remote_code" and value:
        return "refused: hfllm does not run code that comes with a model"
    if key.endswith("_kwargs") and isinstance(value, str) and "trust_remote_code" in value:
        return "refused: hfllm does not run code that comes with a model"
    if key in {"token", "hub_token", "push_to_hub_token", "hf_token", "use_auth_token"} and value is not None:
        return "refused: a token does not belong into a file; log in with  hf auth login  or set HF_TOKEN"
    if key == "resume_from_checkpoint" and value:
        return (
            "not needed: a run that was cut off goes on by itself; to start from a model:  model_name_or_path: FOLDER"
        )
    if key == "scale_rewards" and isinstance(value, bool):
        return f"now a word: write  scale_rewards: {'group' if value else 'none'}"
    if key == "dataset_text_field" and value != "text":
        return GONE[key]
    return None
