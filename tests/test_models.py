from __future__ import annotations

import json
from pathlib import Path

import pytest

from hfllm.errors import UserMistake
from hfllm.models import find_model


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "empty_cache"))
    monkeypatch.chdir(tmp_path)


def model_folder(path: str) -> str:
    Path(path).mkdir(parents=True)
    (Path(path) / "config.json").write_text("{}")
    (Path(path) / "model.safetensors").touch()
    return path


def test_a_model_folder_is_found() -> None:
    assert find_model(model_folder("runs/tiny/sft")) == "runs/tiny/sft"


def test_a_misspelled_folder_names_its_neighbour() -> None:
    model_folder("runs/tiny/pretrain")
    with pytest.raises(UserMistake) as mistake:
        find_model("runs/tiny/pretran")
    assert str(mistake.value) == (
        "model 'runs/tiny/pretran': no such folder, and not in the local Hub cache (offline mode is on). "
        "Near: runs/tiny/pretrain"
    )


def test_online_a_hub_id_passes_and_a_missing_path_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    assert find_model("Qwen/Qwen3-0.6B") == "Qwen/Qwen3-0.6B"
    with pytest.raises(UserMistake, match="not a Hub id"):
        find_model("runs/missing")


def test_offline_a_cached_hub_id_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = tmp_path / "models--owner--name"
    model_folder(str(cached / "snapshots" / "abc"))
    (cached / "refs").mkdir()
    (cached / "refs" / "main").write_text("abc")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert find_model("owner/name") == "owner/name"
    with pytest.raises(UserMistake, match="not in the local Hub cache"):
        find_model("owner/other")


def test_a_folder_without_config_shows_its_checkpoints() -> None:
    model_folder("out/checkpoint-10")
    with pytest.raises(UserMistake, match=r"no config\.json.* Model folders inside: out/checkpoint-10"):
        find_model("out")


def test_pickled_weights_are_refused() -> None:
    Path("old").mkdir()
    Path("old/config.json").write_text("{}")
    Path("old/pytorch_model.bin").touch()
    with pytest.raises(UserMistake, match=r"no \*\.safetensors .*pytorch_model\.bin"):
        find_model("old")


def test_an_adapter_needs_its_base() -> None:
    Path("adapter").mkdir()
    Path("adapter/adapter_model.safetensors").touch()
    Path("adapter/adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "base"}))
    with pytest.raises(UserMistake, match="model 'adapter' is an adapter, and its base is missing: model 'base'"):
        find_model("adapter")
    model_folder("base")
    assert find_model("adapter") == "adapter"


def test_the_home_folder_has_its_short_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    model_folder("mine")
    assert find_model("~/mine") == str(tmp_path / "mine")
