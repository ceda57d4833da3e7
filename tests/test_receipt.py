"""Run folders: finished, cut off, moved aside, never touched when they are not ours; and the card."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

import pytest
import yaml

from hfllm import card, receipt
from hfllm.errors import UserMistake
from hfllm.recipe import Recipe


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("RANK", raising=False)


def recipe(**values: object) -> Recipe:
    return Recipe(Path("recipes/mine/sft.yaml"), "sft", {"output_dir": "runs/mine", **values}, {}, [])


def run(one: Recipe, numbers: dict[str, object] | None = None, fresh: bool = False) -> None:
    with receipt.writing(one, fresh=fresh) as record:
        (one.output_dir / "model.txt").write_text(str(one.values))
        record(numbers or {"loss": 1.5})


def crash(one: Recipe) -> None:
    with suppress(ZeroDivisionError), receipt.writing(one):
        (one.output_dir / "half.txt").write_text("half")
        raise ZeroDivisionError


def test_a_mistake_told_before_anything_was_written_costs_no_finished_run():
    run(recipe(seed=0))
    with pytest.raises(UserMistake), receipt.writing(recipe(seed=1)):
        raise UserMistake("there is no such column")
    assert Path("runs/mine/model.txt").exists()
    assert receipt.reason_to_run(recipe(seed=0)) is None
    assert not Path("runs/mine.previous").exists()


def test_what_was_written_before_a_mistake_is_kept():
    run(recipe(seed=0))
    with suppress(UserMistake), receipt.writing(recipe(seed=1)):
        Path("runs/mine/answers.jsonl").write_text("{}\n")
        raise UserMistake("none of the answers was right")
    assert Path("runs/mine/answers.jsonl").exists()
    assert Path("runs/mine.previous/model.txt").exists()


def test_a_mistake_leaves_no_folder_where_there_was_none():
    with pytest.raises(UserMistake), receipt.writing(recipe()):
        raise UserMistake("there is no such column")
    assert not Path("runs/mine").exists()


def test_a_finished_run_is_up_to_date_until_a_key_changes():
    assert receipt.reason_to_run(recipe(seed=1)) == "not run yet"
    run(recipe(seed=1))
    assert receipt.is_up_to_date(recipe(seed=1))
    assert receipt.reason_to_run(recipe(seed=2)) == "seed changed"
    assert receipt.reason_to_run(recipe()) == "seed changed"
    assert receipt.reason_to_run(recipe(seed=1, rate=0.1)) == "rate changed"
    assert sorted(file.name for file in Path("runs/mine").iterdir()) == ["README.md", "model.txt", "run.json"]


def test_how_a_stage_is_launched_changes_nothing():
    run(recipe(launch="cpu"))
    assert receipt.is_up_to_date(recipe(launch="ddp"))
    assert receipt.is_up_to_date(recipe())


def test_an_edited_input_is_a_reason():
    data = Path("mine.jsonl")
    data.write_text("{}\n")
    one = recipe(datasets=[{"path": "mine.jsonl"}])
    run(one)
    assert receipt.is_up_to_date(one)
    data.write_text("{}\n{}\n")
    assert receipt.reason_to_run(one) == "mine.jsonl changed"


def test_one_more_file_that_a_pattern_fits_is_a_reason():
    Path("crawl").mkdir()
    Path("crawl/a.warc").write_text("a")
    one = recipe(inputs=["crawl/*.warc"])
    run(one)
    assert receipt.is_up_to_date(one)
    Path("crawl/b.warc").write_text("b")
    assert receipt.reason_to_run(one) == "crawl/*.warc changed"


def test_a_file_in_the_place_of_the_folder_is_told():
    Path("runs").mkdir()
    Path("runs/mine").write_text("a file")
    with pytest.raises(UserMistake, match="is a file"):
        run(recipe())


def test_the_card_of_a_data_set_tells_its_columns_and_languages():
    numbers = {"documents": 2, "languages": {"en": 2}}
    text = card.render(
        {"stage": "data", "values": {"output_dir": "runs/mine"}, "numbers": numbers, "inputs": {}, "versions": {}}
        | {"recipe": "data.yaml", "seconds": 1.0, "machine": "m", "num_processes": 1, "finished": "today"}
    )
    front = yaml.safe_load(text.split("---")[1])
    assert front["language"] == ["en"]
    assert front["configs"][0]["data_files"] == [{"split": "train", "path": "data/*.parquet"}]
    assert "| contaminated_by |" in text


def test_an_input_in_the_home_folder_counts_too(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("mine.jsonl").write_text("{}\n")
    one = recipe(datasets=[{"path": "~/mine.jsonl"}])
    run(one)
    Path("mine.jsonl").write_text("{}\n{}\n")
    assert receipt.reason_to_run(one) == "~/mine.jsonl changed"


def test_the_fingerprint_of_another_stages_output_is_its_receipt():
    first = recipe(output_dir="runs/first")
    second = recipe(model_name_or_path="runs/first/model.txt")
    run(first)
    run(second)
    Path("runs/first/model.txt").write_text("somebody looked at it and saved")  # the receipt is the same
    assert receipt.is_up_to_date(second)
    run(first, {"loss": 1.4})
    assert receipt.reason_to_run(second) == "runs/first/model.txt changed"


def test_a_crash_leaves_no_receipt_and_resumes():
    crash(recipe(seed=1))
    assert not Path("runs/mine/run.json").exists()
    assert receipt.reason_to_run(recipe(seed=1)) == "cut off: resumes"
    assert receipt.reason_to_run(recipe(seed=2)) == "cut off, and then seed changed"
    run(recipe(seed=1))
    assert Path("runs/mine/half.txt").exists()
    assert not Path("runs/mine/run.started.json").exists()


@pytest.mark.parametrize(("seed", "fresh"), [(2, False), (1, True)])
def test_what_does_not_resume_is_moved_aside(seed, fresh):
    crash(recipe(seed=1))
    run(recipe(seed=seed), fresh=fresh)
    assert not Path("runs/mine/half.txt").exists()
    assert Path("runs/mine.previous/half.txt").read_text() == "half"
    run(recipe(seed=3))
    assert json.loads(Path("runs/mine.previous/run.json").read_text())["values"]["seed"] == seed  # one generation


def test_a_folder_of_somebody_else_is_never_touched():
    Path("runs/mine").mkdir(parents=True)
    Path("runs/mine/thesis.txt").write_text("five years")
    for fresh in (False, True):
        with pytest.raises(
            UserMistake,
            match="runs/mine holds files that no stage wrote; move them away, or write another  output_dir:",
        ):
            run(recipe(), fresh=fresh)
    assert [file.name for file in Path("runs/mine").iterdir()] == ["thesis.txt"]
    assert not Path("runs/mine.previous").exists()


def test_a_previous_folder_that_is_not_ours_is_never_deleted():
    Path("runs/mine.previous").mkdir(parents=True)
    Path("runs/mine.previous/thesis.txt").write_text("five years")
    run(recipe(seed=1))
    with pytest.raises(UserMistake, match=r"runs/mine\.previous holds files that no stage wrote"):
        run(recipe(seed=2))
    assert Path("runs/mine.previous/thesis.txt").exists()
    assert receipt.is_up_to_date(recipe(seed=1))


def test_two_runs_do_not_write_to_one_folder():
    refusal = pytest.raises(UserMistake, match="runs/mine: another run is writing to this folder")
    with receipt.writing(recipe()), refusal, receipt.writing(recipe()):
        pass
    assert receipt.is_up_to_date(recipe())


def test_the_receipt_is_written_last():
    """What fails while the card is written leaves an unfinished folder, not one that looks finished."""
    with pytest.raises(TypeError), receipt.writing(recipe()) as record:
        record({"loss": object()})  # no JSON
    assert not Path("runs/mine/run.json").exists()
    assert receipt.reason_to_run(recipe()) == "cut off: resumes"


def test_other_processes_of_a_launch_write_nothing(monkeypatch):
    monkeypatch.setenv("RANK", "1")
    with receipt.writing(recipe()) as record:
        record({"loss": 1.0})
    assert list(Path().iterdir()) == []


def test_the_receipt_tells_what_was_done():
    run(recipe(seed=1), {"loss": 1.5, "by_name": {"a": 2}})
    told = receipt.load(Path("runs/mine/run.json"))
    assert told["numbers"] == {"loss": 1.5, "by_name": {"a": 2}}
    assert told["stage"] == "sft"
    assert told["values"] == {"output_dir": "runs/mine", "seed": 1}
    assert told["num_processes"] == 1
    assert told["peak_memory_bytes"] > 2**20
    assert set(told["versions"]) == {"python", *receipt.LIBRARIES}
    assert told["seconds"] >= 0


def test_the_card_says_numbers_recipe_inputs_and_versions(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    Path("mine.jsonl").write_text("{}\n")
    run(recipe(datasets=[{"path": "mine.jsonl"}]), {"loss": 1.5, "rows": 12345, "by_name": {"a": 2}, "all": [1]})
    text = Path("runs/mine/README.md").read_text()
    for line in ("| loss | 1.5 |", "| rows | 12,345 |", "| by_name a | 2 |", "- path: mine.jsonl", "# mine"):
        assert line in text.splitlines()
    assert "- `mine.jsonl` (" in text
    assert "trl 1.16" in text
    assert "library_name: transformers" in text
    assert os.environ["HF_TOKEN"] not in text + Path("runs/mine/run.json").read_text()


def test_a_card_without_inputs_says_so():
    run(recipe())
    told = receipt.load(Path("runs/mine/run.json"))
    assert "Nothing on this disk: the recipe alone." in card.render(told)
    assert "library_name" not in card.render({**told, "stage": "world"})


def test_a_start_that_failed_never_replaces_what_was_finished():
    run(recipe(seed=1))
    crash(recipe(seed=2))
    crash(recipe(seed=3))
    run(recipe(seed=4))
    assert json.loads(Path("runs/mine.previous/run.json").read_text())["values"]["seed"] == 1
