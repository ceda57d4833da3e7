"""JSON Lines of runs that were killed: what is read of them, and what stands where a file is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from hfllm import json_lines, whole_file


@pytest.mark.parametrize(
    "end", [b"", b'{"a"', b'{"a": "\xc3', b'{"a": "y"}'], ids=["none", "ascii", "half a letter", "no newline"]
)
def test_a_last_line_without_its_end_is_left_out(end: bytes, tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes('{"a": "é"}\n{"a": "\u2028"}\n'.encode() + end)
    assert json_lines.read(file) == [{"a": "é"}, {"a": "\u2028"}]
    assert json_lines.read(tmp_path / "none.jsonl") == []


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "new" / "rows.jsonl"
    json_lines.write(file, [{"a": "é"}])
    json_lines.append(file, [{"a": "\u2028\n"}])
    assert json_lines.read(file) == [{"a": "é"}, {"a": "\u2028\n"}]


@pytest.mark.parametrize(("there", "kept"), [(0, 0), (1, 0), (2, 2), (3, 2), (4, 4), (5, 5)])
def test_whole_steps_of_five_rows_two_at_a_time(there: int, kept: int) -> None:
    rows = [{"a": number} for number in range(there)]
    assert json_lines.whole_steps(rows, step=2, count=5) == rows[:kept]  # 5: the last step is short, and it is whole


def test_two_texts_of_one_name_do_not_share_a_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    replace = Path.replace

    def counting(part: Path, file: Path) -> Path:
        parts.append(part)
        return replace(part, file)

    monkeypatch.setattr(Path, "replace", counting)
    for name in ("results.json", "results.md"):
        whole_file.write(tmp_path / "new" / name, "é")
    assert len(set(parts)) == 2
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["results.json", "results.md"]


def test_what_cannot_be_written_leaves_the_old_text(tmp_path: Path) -> None:
    file = tmp_path / "results.md"
    whole_file.write(file, "old")
    with pytest.raises(UnicodeEncodeError):
        whole_file.write(file, "new \ud83d")
    assert file.read_text() == "old"
