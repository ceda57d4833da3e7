"""The keys of a stage: the schema of annotations, its cache, and what editors and `hfllm keys` make of it."""

from __future__ import annotations

import enum
import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import jsonschema
import pytest
import yaml

from hfllm import keys, mistakes, places
from hfllm.cli import main

HEAVY = ("torch", "transformers", "trl", "datasets", "peft", "rich")


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Part:
    path: str
    rows: int | None = None


@dataclass
class Config:
    output_dir: str = field(metadata={"help": "Where\n  to."})
    name: str = "a"
    flag: bool = True
    count: int = 3
    rate: float = 0.5
    maybe: float | None = None
    word: Literal["on", "off", 3] = "on"
    colour: Colour | str = Colour.BLUE
    chosen: str | None = field(default=None, metadata={"choices": ["x", "y"]})
    names: list[str] = field(default_factory=list)
    table: dict[str, int] = field(default_factory=lambda: {"a": 1})
    free: dict | str | None = None
    parts: list[Part] = field(default_factory=list)
    anything: Any = None
    hidden: int = field(default=0, init=False)


DEFAULTS = {"count": 7}


def stage_main(config: Config) -> dict[str, Any]:
    return {"count": config.count}


def test_the_schema_of_every_kind_of_annotation():
    schema = keys.schema_of_main(stage_main)
    shapes = {
        name: {key: value for key, value in entry.items() if key not in ("description", "x-owner", "default")}
        for name, entry in schema["properties"].items()
    }
    part = {"path": {"type": "string"}, "rows": {"anyOf": [{"type": "integer"}, {"type": "null"}]}}
    assert shapes.pop("parts")["items"]["required"] == ["path"]
    found = schema["properties"]["parts"]["items"]["properties"]
    assert {name: entry.get("anyOf") for name, entry in found.items()} == {"path": None, "rows": part["rows"]["anyOf"]}
    assert shapes == {
        "launch": {"type": ["string", "null"]},
        "output_dir": {"type": "string"},
        "name": {"type": "string"},
        "flag": {"type": "boolean"},
        "count": {"type": "integer"},
        "rate": {"type": "number"},
        "maybe": {"anyOf": [{"type": "number"}, {"type": "null"}]},
        "word": {"enum": ["on", "off", 3]},
        "colour": {"enum": ["red", "blue"]},
        "chosen": {"enum": ["x", "y", None]},
        "names": {"type": "array", "items": {"type": "string"}},
        "table": {"type": "object", "additionalProperties": {"type": "integer"}},
        "free": {"anyOf": [{"type": "object"}, {"type": "string"}, {"type": "null"}]},
        "anything": {},
    }
    assert schema["required"] == ["output_dir"]
    assert schema["properties"]["output_dir"]["description"] == "Where to."
    assert schema["properties"]["colour"]["default"] == "blue"
    assert schema["properties"]["rate"]["x-owner"] == f"{__name__.partition('.')[0]} Config"


def test_defaults_of_the_stage_are_shown_as_its_defaults():
    assert keys.schema_of_main(stage_main)["properties"]["count"]["default"] == 7
    assert keys.schema_of_stage("sft")["properties"]["assistant_only_loss"]["default"] is True  # False upstream


def test_two_configurations_must_not_share_a_key():
    def twice(one: Config, other: Config) -> dict[str, Any]:
        return {}

    twice.__annotations__ = {"one": Config, "other": Config}
    with pytest.raises(TypeError, match="two configurations have the key output_dir"):
        keys.schema_of_main(twice)


@pytest.mark.parametrize("stage", keys.stages())
def test_editors_can_use_the_schema(stage):
    schema = keys.schema_of_stage(stage)
    jsonschema.Draft7Validator.check_schema(schema)
    validator = jsonschema.Draft7Validator(schema)
    recipes = [file for file in places.folder("recipes").glob(f"*/{stage}*.yaml") if file.stem.split("-")[0] == stage]
    for file in recipes:
        values = yaml.load(file.read_text(encoding="utf-8"), mistakes.Loader)
        assert list(validator.iter_errors(values)) == []
        assert list(validator.iter_errors({**values, "output_dri": "x"}))
    undocumented = [key for key, entry in schema["properties"].items() if not entry["description"]]
    assert [key for key in undocumented if schema["properties"][key]["x-owner"].startswith("hfllm")] == []


def cached(folder: Path, stage: str) -> Path:
    (file,) = (folder / "keys").glob(f"{stage}-*.json")
    return file


def test_the_cache_is_read_until_a_source_changes(tmp_path, monkeypatch):
    monkeypatch.setenv("HFLLM_CACHE", str(tmp_path))
    schema = keys.schema_of_stage("world")
    file = cached(tmp_path, "world")
    content = json.loads(file.read_text())
    shared = {"hfllm/data.py", "hfllm/keys.py", "hfllm/tasks/__init__.py", "hfllm/watch.py"}
    assert set(content["sources"]) == {*shared, "hfllm/stages/world.py"}

    file.write_text(json.dumps({**content, "schema": {"from": "the cache"}}))
    assert keys.schema_of_stage("world") == {"from": "the cache"}

    edited = {**content["sources"], "hfllm/stages/world.py": "the digest of another text"}
    file.write_text(json.dumps({"schema": {"from": "the cache"}, "sources": edited}))
    assert keys.schema_of_stage("world") == schema
    assert json.loads(file.read_text()) == content


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("HFLLM_CACHE", str(tmp_path / "file"))
    assert "seed" in keys.schema_of_stage("world")["properties"]


def test_two_processes_may_fill_the_cache_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("HFLLM_CACHE", str(tmp_path))
    program = "from hfllm import keys; print(len(keys.schema_of_stage('world')['properties']))"
    both = [subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    first, second = (process.communicate()[0] for process in both)
    assert first == second
    assert [file.suffix for file in (tmp_path / "keys").iterdir()] == [".json"]


@pytest.mark.parametrize(("text", "status"), [("output_dir: runs/x\n", 0), ("output_dir: runs/x\npackign: 1\n", 2)])
def test_a_check_with_a_warm_cache_imports_nothing_heavy(tmp_path, text, status):
    file = tmp_path / "sft.yaml"
    file.write_text(text)
    keys.schema_of_stage("sft")  # warm
    program = (
        "import sys; from hfllm.cli import main; status = main(['check', sys.argv[1]])\n"
        f"print(status, [name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program, file], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{status} []"
    assert "Traceback" not in done.stderr
    assert ("did you mean packing?" in done.stderr) == (status == 2)


def test_keys_of_a_stage_are_shown(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    assert main(["keys", "sft", "learning"]) == 0
    shown = capsys.readouterr().out
    head, help_text = shown.partition("learning_rate  ")[2].splitlines()[:2]
    assert head == "number, default 2e-05, transformers TrainingArguments"
    assert "initial learning rate" in help_text
    assert "vocab_size" not in shown
    assert main(["keys", "sft", "assistant_only_loss"]) == 0
    assert "true" in capsys.readouterr().out


def test_keys_and_schemas_on_request(capsys, tmp_path):
    assert main(["keys", "world", "--json-schema"]) == 0
    assert json.loads(capsys.readouterr().out) == keys.schema_of_stage("world")
    assert main(["keys", "--write-schemas", str(tmp_path / "schemas")]) == 0
    assert sorted(file.stem for file in (tmp_path / "schemas").iterdir()) == keys.stages()
    capsys.readouterr()
    assert main(["keys", "stf"]) == 2
    assert capsys.readouterr().err == f"stf: no such stage; there are {', '.join(keys.stages())}; did you mean sft?\n"
    assert main(["keys", "sft", "learnign_rate"]) == 2
    expected = "stage sft: no key has 'learnign_rate' in its name or help; did you mean learning_rate?\n"
    assert capsys.readouterr().err == expected


def test_keys_inside_a_key_are_found(capsys):
    assert main(["keys", "ppo", "watch.fall"]) == 0
    assert "watch.fall  number, default 0.25" in capsys.readouterr().out
