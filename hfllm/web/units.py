"""The input files of a crawl, each one unit of work: found, named and stamped.

One file is one task, and what is made of it is named after it: a new file is processed alone, and a killed run loses
the files that were being worked on, nothing else."""

from __future__ import annotations

import gzip
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hfllm.errors import UserMistake

SUFFIXES = (".warc", ".wet", ".wat", ".arc", ".jsonl", ".json", ".parquet")
COMPRESSIONS = (".gz", ".zst")


@dataclass(frozen=True)
class Unit:
    """One input file; `name` is that of all files made from it, and changes with its size or time."""

    path: str
    name: str


def find(inputs: Sequence[str], paths_file: str | None, paths_prefix: str, max_files: int | None) -> list[Unit]:
    """All input files, sorted by path. Raises `UserMistake` for a path that leads to no file."""
    paths = [path for one in inputs for path in expand(one)]
    if paths_file is not None:
        paths += [paths_prefix + line for line in lines_of(paths_file)]
    paths = sorted(set(paths))[:max_files]
    if not paths:
        raise UserMistake("inputs: no file to read; write  inputs: [crawl/*.warc.gz]  or  paths_file: warc.paths.gz")
    return [Unit(path, unit_name(path)) for path in paths]


def expand(pattern: str) -> list[str]:
    """A file, all files of a folder, or those that a pattern fits, on any file system that fsspec knows.

    expand("crawl/*.warc.gz") == ["crawl/a.warc.gz", "crawl/b.warc.gz"]"""
    from fsspec.core import url_to_fs

    system, path = url_to_fs(pattern)
    if any(sign in path for sign in "*?["):
        found = system.glob(path)
    elif system.isdir(path):
        found = [name for name in system.find(path) if is_input(name)]
    else:
        found = [path] if system.exists(path) else []
    if not found:
        raise UserMistake(f"inputs: {pattern}: no file of this name; expected a file, a folder or a pattern of files")
    local = "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))
    return [pattern] if found == [path] else [name if local else system.unstrip_protocol(name) for name in found]


def is_input(path: str) -> bool:
    """Whether the ending is one that the stage reads: is_input("a.warc.gz"), not is_input("truth.txt")."""
    plain = next((path.removesuffix(ending) for ending in COMPRESSIONS if path.endswith(ending)), path)
    return plain.endswith(SUFFIXES)


def lines_of(path: str) -> list[str]:
    """The lines of a list of files such as Common Crawl's warc.paths.gz."""
    import fsspec

    with fsspec.open(path, "rb") as file:
        content = file.read()
    text = (gzip.decompress(content) if path.endswith(".gz") else content).decode()
    return [line.strip() for line in text.split("\n") if line.strip()]


def unit_name(path: str) -> str:
    """unit_name("crawl/a.warc.gz") == "a.warc-3f9c21d07ab4": readable, and another one when the file changes."""
    stem = re.sub(r"[^A-Za-z0-9._-]", "_", path.rsplit("/", 1)[-1]).removesuffix(".gz")
    return f"{stem[-60:]}-{hashlib.sha256(repr([path, stamp(path)]).encode()).hexdigest()[:12]}"


def stamp(path: str) -> list[Any]:
    """What tells a file from another of the same name; nothing for a web address, which would cost a request each."""
    if path.startswith(("http://", "https://", "s3://")):
        return []
    from fsspec.core import url_to_fs

    system, inside = url_to_fs(path)
    information = system.info(inside)
    return [information["size"], information.get("mtime")]
