"""How is a text written whole or not at all? Under another name beside its place, which it then takes.

A run that is killed leaves FILE.part behind, and the next one writes over it. For bytes, and for several who write the
same file at the same time: hfllm/web/whole.py."""

from __future__ import annotations

from pathlib import Path


def write(file: Path, text: str) -> None:
    """The folder is made, too."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(file.name + ".part")  # not with_suffix: results.json and results.md would share it
    part.write_text(text, encoding="utf-8")
    part.replace(file)
