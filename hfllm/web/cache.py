"""Where models and indices lie that several runs share: HFLLM_CACHE, or the user's cache folder."""

from __future__ import annotations

import os
from pathlib import Path


def folder(name: str) -> Path:
    """The folder `name` of the cache, made if it is not there."""
    base = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    path = Path(os.environ.get("HFLLM_CACHE", f"{base}/hfllm")).expanduser() / "web" / name
    path.mkdir(parents=True, exist_ok=True)
    return path
