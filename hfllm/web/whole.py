"""How is a file written whole or not at all? Under a name of its own, beside the place that it then takes.

    with writing(Path("index.npy")) as file:
        numpy.save(file, array)

Not for a machine that loses power: nothing is forced to the disk."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Nothing is at `path` before the block ends, nor when it fails; two who write the same do not meet."""
    part = path.with_name(f"{uuid.uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
