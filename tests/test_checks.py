"""What `hfllm check` says of the stages that make questions, answers and conversations, before any of them runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from hfllm import course
from hfllm.cli import main
from hfllm.errors import UserMistake
from hfllm.stages import synthesize
from hfllm.synthesis.config import SynthesisConfig

SECRET = "sk-live-123"
GOOD: dict[str, dict[str, Any]] = {
    "probe": {"model_name_or_path": "org/m", "datasets": [{"path": "org/data"}]},
    "synthesize": {"model_name_or_path": "org/m", "topics": ["lava"]},
    "identity": {"name": "Pip", "maker": "the Little Lab"},
    "evaluate": {"models": ["org/m"], "tasks": [{"name": "spelling"}]},
    "arena": {"models": ["org/a", "org/b"], "tasks": [{"name": "spelling"}]},
}
ENDPOINT: dict[str, Any] = {"endpoint": "http://127.0.0.1:8000/v1", "model": "m", "topics": ["lava"]}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("BROKEN_KEY", "sk-sec\nret")
    monkeypatch.setenv("FOREIGN_KEY", "sk-sécret")


def write(stage: str, values: dict[str, Any]) -> list[Path]:
    Path(f"{stage}.yaml").write_text(yaml.safe_dump({"output_dir": "runs/out", **values}))
    return [Path(f"{stage}.yaml")]


def told(stage: str, values: dict[str, Any]) -> list[str]:
    problems = course.check(write(stage, values))[1]
    return [f"{problem.key}: {problem.message}" for found in problems.values() for problem in found]


@pytest.mark.parametrize("stage", GOOD)
def test_a_good_recipe_is_not_complained_of(stage: str) -> None:
    assert told(stage, GOOD[stage]) == []
    assert told("synthesize", ENDPOINT | {"api_key_variable": "NOT_THERE"}) == []  # needed only while it runs


@pytest.mark.parametrize(
    ("stage", "changed", "message"),
    [
        ("probe", {"samples": 0}, "samples: 0 is too few, write 1 or more"),
        ("probe", {"temperature": -1}, "temperature: -1: must be a number from 0"),
        ("probe", {"temperature": 0}, "temperature: 0 gives the same reply each time"),  # of 8 samples, the default
        ("probe", {"datasets": []}, "datasets: the recipe needs questions"),
        ("probe", {"unknown_to": 1.0}, "unknown_to: 1.0 must be below known_from: 1.0"),
        ("probe", {"known_per_unknown": -1}, "known_per_unknown: -1 is below 0"),
        ("probe", {"refusals": ["Paris."]}, "refusals: no refusal to the ears of"),
        ("probe", {"fuzzy": 80}, "fuzzy: 80 must be above 0 and at most 1"),
        ("evaluate", {"model_name_or_path": "org/n"}, "models: the recipe needs  models:  or  model_name_or_path:"),
        ("evaluate", {"models": []}, "models: the recipe needs  models:  or  model_name_or_path:"),
        ("evaluate", {"base_prompt": "Q:"}, "base_prompt: has no {prompt}"),
        ("evaluate", {"samples": -1}, "samples: -1 is too few, write 0 or more"),
        ("evaluate", {"samples": 2, "temperature": 0}, "temperature: 0 gives the same answer each time"),
        ("evaluate", {"top_p": 0}, "top_p: 0: must be above 0"),
        ("evaluate", {"tasks": []}, "tasks: the recipe asks nothing"),
        ("evaluate", {"lm_eval": ["a/arc.yaml", "b/arc.yaml"]}, "lm_eval: 'lm-eval arc' and 'lm-eval arc' would share"),
        (
            "evaluate",
            {"tasks": [{"name": "spelling", "options": {"kind": sign}} for sign in "+-"]},
            "tasks: 'spelling +' and 'spelling -' would share the file answers/MODEL/spelling",
        ),
        ("evaluate", {"tasks": [{"name": "spelling"}] * 2}, "tasks: spelling stands there twice"),
        ("synthesize", {"rows": 0}, "rows: 0 is too few, write 1 or more"),
        ("synthesize", {"model_name_or_path": None}, "model_name_or_path: who writes?"),
        ("synthesize", ENDPOINT, "model_name_or_path: who writes?"),
        ("synthesize", {"topics": []}, "topics: about what?"),
        ("synthesize", {"retries": -1}, "retries: -1 is too few, write 0 or more"),
        ("synthesize", {"timeout_seconds": 0}, "timeout_seconds: 0 must be above 0"),
        ("synthesize", {"review": "required"}, "review: required needs the file to correct"),
        ("identity", {"date": "June"}, "date: 'June' is no year and month"),
        ("identity", {"languages": ["it"]}, "languages: 'it' is none of en, de"),
        ("identity", {"languages": []}, "languages: write at least one"),
        ("identity", {"rows": 0}, "rows: 0 is too few"),
        ("identity", {"is_not": ["Pip"]}, "is_not: the model's own name"),
        ("identity", {"maker": " "}, "maker: is empty"),
        ("arena", {"top_p": 2}, "top_p: 2: must be above 0"),
        ("arena", {"max_new_tokens": 0}, "max_new_tokens: 0: must be a whole number from 1"),
        ("arena", {"judge_max_new_tokens": 0}, "judge_max_new_tokens: 0 is too few"),
        ("arena", {"tie_margin": -1}, "tie_margin: -1 is below 0"),
    ],
)
def test_a_mistake_is_told_by_its_key(stage: str, changed: dict[str, Any], message: str) -> None:
    (found,) = told(stage, GOOD[stage] | changed)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("stage", "changed"),
    [("evaluate", {"models": ["runs/no/where"]}), ("arena", {"judge": "runs/no/where", "datasets": [{"path": "o/d"}]})],
)
def test_a_path_that_leads_nowhere_is_told_once(stage: str, changed: dict[str, Any]) -> None:
    (found,) = told(stage, GOOD[stage] | changed)
    assert "'runs/no/where': no such file or folder" in found


SECRETS: list[tuple[dict[str, Any], str]] = [
    ({"api_key_variable": SECRET}, "api_key_variable: is no name of an environment variable"),
    ({"endpoint": f"http://me:{SECRET}@host/v1"}, "endpoint: holds a name or password"),
    ({"endpoint": f"https://{SECRET}@host/v1"}, "endpoint: holds a name or password"),
    ({"endpoint": f"http://me:{SECRET}/x@host/v1"}, "endpoint: is no address"),
    ({"endpoint": f"me:{SECRET}@host/v1"}, "endpoint: is no address"),
    ({"endpoint": f"http://[{SECRET}/v1"}, "endpoint: is no address"),
]


@pytest.mark.parametrize(("changed", "message"), SECRETS)
def test_a_secret_in_a_recipe_is_refused_and_not_shown(
    changed: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = told("synthesize", ENDPOINT | changed)
    assert found.startswith(message)
    assert main(["run", "synthesize.yaml"]) == 2
    assert SECRET not in "".join(capsys.readouterr())
    assert not Path("runs").exists()


@pytest.mark.parametrize("words", [[], ["--api_key_variable", SECRET]])
def test_nor_does_it_reach_a_receipt_where_the_stage_is_started_by_hand(words: list[str]) -> None:
    write("synthesize", ENDPOINT | ({} if words else {"api_key_variable": SECRET}))
    command = [sys.executable, "-m", "hfllm.stages.synthesize", "synthesize.yaml", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "is no name of an environment variable" in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert not Path("runs").exists()


@pytest.mark.parametrize("name", ["BROKEN_KEY", "FOREIGN_KEY"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(name: str) -> None:
    with pytest.raises(UserMistake) as mistake:
        synthesize.main(SynthesisConfig("runs/out", **ENDPOINT, api_key_variable=name))
    assert str(mistake.value) == (
        f"api_key_variable: the value of {name} has characters that no key has, such as a line break"
    )
