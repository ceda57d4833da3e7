"""A file is there whole, or not at all."""

from pathlib import Path

import pytest

from hfllm.web import whole


def test_what_fails_half_way_leaves_the_folder_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a"
    with whole.writing(target) as file:
        file.write(b"old")
        assert not target.exists()
    assert target.read_bytes() == b"old"
    with pytest.raises(TypeError), whole.writing(target) as file:
        file.writelines([b"ne", None])  # type: ignore[list-item]
    assert list(tmp_path.iterdir()) == [target]
    assert target.read_bytes() == b"old"
