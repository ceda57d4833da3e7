"""`hfllm chat --tool`: what the model calls is shown, run, and answered."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import stand_in
import tool_model

from hfllm.chat import screen, terminal
from hfllm.errors import UserMistake


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Pipe a text into the chat."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def test_the_model_calls_a_tool_and_goes_on(tool_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tool_folder), "--tool", "calculator", "--temperature", "0", "--prompt", "12*12?"]
    assert terminal.main(arguments) == 0
    out, err = capsys.readouterr()
    call = '<tool_call>\n{"name": "calculator", "arguments": {"expression": "12*12"}}\n</tool_call>'
    assert out == f"{call}\nIt is 144.\n"
    assert "[calculator] 144" in err


def test_a_conversation_with_tools_is_saved_as_it_was(
    tool_folder: Path, tmp_path: Path, typed: Callable[[str], None]
) -> None:
    file = tmp_path / "said.jsonl"
    typed(f"12*12?\nBroken?\n/save {file}\n/reset\nBroken?\n/save {file}\n")
    assert (
        terminal.main([str(tool_folder), "--tool", "calculator", "--temperature", "0", "--max-new-tokens", "100"]) == 0
    )
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert first["messages"][:4] == tool_model.CONVERSATIONS[1]
    assert second["messages"] == tool_model.CONVERSATIONS[-1]
    assert json.loads(first["tools"]) == tool_model.SCHEMAS


def test_an_answer_that_only_calls_ends(tool_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = [str(tool_folder), "--tool", "calculator", "--temperature", "0", "--prompt", "Again?"]
    assert terminal.main([*arguments, "--max-new-tokens", "150"]) == 0
    err = capsys.readouterr().err
    assert err.count("[calculator] 2") >= 2
    assert "(cut off after" in err or "(there is no room for the result)" in err
    assert terminal.main(arguments) == 0
    assert capsys.readouterr().err.count("[calculator] 2") <= 4


def test_without_tools_nothing_runs(tool_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert terminal.main([str(tool_folder), "--temperature", "0", "--prompt", "12*12?", "--max-new-tokens", "60"]) == 0
    assert "[calculator]" not in capsys.readouterr().err


def test_wrong_tools_end_before_the_model_loads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = str(stand_in.make(tmp_path / "base", template=False))
    for word, message in (("calclator", "did you mean calculator"), ("search:runs/nowhere/x", "no file or folder")):
        with pytest.raises(UserMistake, match=message):
            terminal.main([folder, "--tool", word])
    assert terminal.main([folder, "--tool", "calculator", "--prompt", "Tom", "--max-new-tokens", "1"]) == 0
    assert "a base model calls no tools: --tool is ignored" in capsys.readouterr().err


def test_tools_are_named_with_what_they_read() -> None:
    assert terminal.tools_named(["calculator", "search:runs/x:y", "a/mine.py:f"]) == {
        "calculator": {},
        "search": {"path": "runs/x:y"},
        "a/mine.py:f": {},
    }


def test_what_a_tool_says_cannot_rewrite_the_screen(capsys: pytest.CaptureFixture[str]) -> None:
    screen.tool_result("python", "a\x1b[2Jb")
    assert capsys.readouterr().err == "[python] a␛[2Jb\n"
