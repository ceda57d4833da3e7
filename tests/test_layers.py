"""Who may import whom (the syntax trees say), and what nobody may call."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import hfllm

PACKAGE = Path(hfllm.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
HEAVY = {"torch", "transformers", "trl", "datasets", "peft", "accelerate"}
LIGHT = [
    *(
        "cli",
        "recipe",
        "keys",
        "key_table",
        "mistakes",
        "renamed",
        "course",
        "launch",
        "receipt",
        "runner",
        "progress",
        "recipe_folders",
    ),
    *("errors", "data", "models", "places", "card", "processes", "labels", "untrusted"),
    *("arena", "json_lines", "knowledge"),
    *("answers", "rewards", "chosen_rewards", "completion", "user_file", "audit", "sandbox", "generate", "verify"),
]
RUNS_UNTRUSTED_TEXT = PACKAGE / "confined"  # the inside of the sandbox: what runs there is what it is for


def imports(nodes: list[ast.AST]) -> set[str]:
    """Dotted names, `from hfllm import keys` as hfllm.keys."""
    found: set[str] = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@pytest.mark.parametrize("file", [file for file in FILES if file.name != "__main__.py"], ids=str)
def test_nobody_imports_a_stage_or_the_command_line(file):
    found = imports(list(ast.walk(tree(file))))
    assert not {name for name in found if name.startswith(("hfllm.stages", "hfllm.cli"))}


@pytest.mark.parametrize("name", LIGHT)
def test_what_answers_in_a_second_imports_nothing_heavy(name):
    found = imports(tree(PACKAGE / f"{name}.py").body)
    assert not {module.partition(".")[0] for module in found} & HEAVY


@pytest.mark.parametrize("folder", ["stages", "tasks", "tools"])
def test_a_stage_a_task_and_a_tool_are_cheap_to_import(folder):
    for file in (PACKAGE / folder).glob("*.py"):
        assert not {module.partition(".")[0] for module in imports(tree(file).body)} & HEAVY, file


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_no_text_is_run_as_code(file):
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else ""
            assert name not in ("eval", "exec") or RUNS_UNTRUSTED_TEXT in file.parents, f"line {node.lineno}"
            trusting = [word for word in node.keywords if word.arg == "trust_remote_code"]
            assert all(isinstance(word.value, ast.Constant) and word.value.value is False for word in trusting)
