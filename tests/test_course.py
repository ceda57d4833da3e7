"""A folder of recipes as a course: order, circles, dead paths, and what runs again and why.

Only the stage `world` is really run, at its smallest."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
from rich.console import Console

from hfllm import course, runner
from hfllm.cli import main
from hfllm.errors import UserMistake

SMALL_WORLD = """\
output_dir: runs/a/world
well_known_people: 2
middle_people: 2
rare_people: 2
once_people: 2
never_people: 2
train_documents: 40
test_documents: 10
train_conversations: 10
test_conversations: 5
train_problems: 5
test_problems: 5
train_rankings: 5
test_rankings: 5
crawl_pages: 40
crawl_files: 1
"""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("a").mkdir()


def write(**texts: str) -> list[Path]:
    """write(sft_b="...") writes a/sft-b.yaml."""
    for name, text in texts.items():
        Path("a", name.replace("_", "-") + ".yaml").write_text(text)
    return course.recipe_files(["a"])


def sft(output: str, model: str, data: str = "org/data") -> str:
    return f"output_dir: {output}\nmodel_name_or_path: {model}\ndatasets:\n- path: {data}\n"


def names(files: list[Path]) -> list[str]:
    recipes, problems = course.check(files)
    assert problems == {}
    return [step.name for step in course.plan(recipes)]


def messages(files: list[Path]) -> list[str]:
    return [f"{problem.key}: {problem.message}" for found in course.check(files)[1].values() for problem in found]


def test_paths_are_the_order():
    files = write(
        sft_a=sft("runs/a/third", "runs/a/second"),
        sft_b=sft("runs/a/second", "runs/a/first/checkpoint-10"),  # a folder inside another's output
        sft_c=sft("runs/a/first", "org/model", "runs/a/world/conversations"),
        world=SMALL_WORLD,
    )
    assert names(files) == ["world", "sft-c", "sft-b", "sft-a"]


def test_a_name_that_begins_alike_is_no_path_inside():
    assert names(write(sft_a=sft("runs/a/x", "org/m"), sft_b=sft("runs/a/xy", "org/m"))) == ["sft-a", "sft-b"]


def test_a_circle_is_refused(capsys):
    write(sft_a=sft("runs/a/x", "runs/a/y"), sft_b=sft("runs/a/y", "runs/a/x"))
    assert main(["check", "a"]) == 2
    expected = "these recipes read each other's output in a circle: a/sft-a.yaml, a/sft-b.yaml\n"
    assert capsys.readouterr().err == expected


@pytest.mark.parametrize("second", ["runs/a/x", "runs/a/x/", "./runs/a/x"])
def test_two_recipes_must_not_write_to_one_folder(second):
    files = write(sft_a=sft("runs/a/x", "org/m"), sft_b=sft(second, "org/m"))
    assert messages(files) == [
        "output_dir: the same folder as in a/sft-b.yaml, or one inside it",
        "output_dir: the same folder as in a/sft-a.yaml, or one inside it",
    ]


def test_nor_into_the_folder_of_another():
    files = write(sft_a=sft("runs/a", "org/m"), sft_b=sft("runs/a/x", "org/m"))
    assert messages(files) == ["output_dir: the same folder as in a/sft-a.yaml, or one inside it"]


@pytest.mark.parametrize(
    ("model", "data", "message"),
    [
        (
            "runs/a/wrold",
            "org/data",
            "model_name_or_path: 'runs/a/wrold': no such file or folder, and no recipe here writes it; "
            "did you mean runs/a/world?",
        ),
        (
            "org/model",
            "mine.jsonl",
            "datasets[0].path: 'mine.jsonl': no such file or folder, and no recipe here writes it",
        ),
        ("org/model", "./mine", "datasets[0].path: './mine': no such file or folder, and no recipe here writes it"),
    ],
)
def test_a_path_that_leads_nowhere_is_told_with_its_line(model, data, message):
    files = write(sft=sft("runs/a/sft", model, data), world=SMALL_WORLD)
    assert messages(files) == [message]
    (problem,) = course.check(files)[1][Path("a/sft.yaml")]
    assert problem.line == (2 if "model" in problem.key else 4)


def test_models_and_judges_that_lead_nowhere_are_told_too():
    arena = "output_dir: runs/a/arena\nmodels: [runs/a/sfd, org/m]\njudge: runs/a/reward\ntasks: [{name: spelling}]\n"
    evaluate = "output_dir: runs/a/evaluate\nmodels: [runs/a/sft]\nprobes: {idenity: {}, hallucination: {name: 3}}\n"
    files = write(arena=arena, evaluate=evaluate, sft=sft("runs/a/sft", "org/m"))
    assert messages(files) == [
        "models: 'runs/a/sfd': no such file or folder, and no recipe here writes it; did you mean runs/a/sft?",
        "judge: 'runs/a/reward': no such file or folder, and no recipe here writes it; did you mean runs/a/arena?",
        "probes: probe idenity: no such probe; did you mean identity?; there are few_shot, hallucination, identity, "
        "known_facts, open_book, recitation, refusals, steps",
    ]
    written = write(arena=arena.replace("sfd", "sft").replace("runs/a/reward", "mine/judges.py:best"))
    assert "no such file or folder" not in " ".join(messages(written[:1]))


def test_what_the_command_line_says_is_told_as_such(capsys):
    text = "output_dir: runs/a/arena\nmodels: [org/m, org/n]\ntasks: [{name: spelling}]\nbatch_size: 8\n"
    write(arena=text)
    assert main(["check", "a/arena.yaml", "--batch_size", "0"]) == 2
    assert capsys.readouterr().err == "a/arena.yaml: --batch_size  0 is too few, write 1 or more\n"
    write(arena=text.replace("8", "0"))
    assert main(["check", "a/arena.yaml"]) == 2
    assert "line 4  batch_size  0 is too few" in capsys.readouterr().err


def test_a_single_file_may_read_what_its_neighbour_writes():
    write(sft=sft("runs/a/sft", "org/m", "runs/a/world/conversations"), world=SMALL_WORLD)
    assert names([Path("a/sft.yaml")]) == ["sft"]


def test_a_launcher_that_is_none_is_told_before_anything_runs():
    (message,) = messages(write(world="launch: cpuu\n" + SMALL_WORLD))
    assert message.startswith("launch: cpuu is no accelerate config; there are ")
    assert message.endswith("; did you mean cpu?")


def test_which_files_are_recipes(capsys):
    write(world=SMALL_WORLD)
    Path("a/.schema").mkdir()
    Path("a/.schema/world.yaml").write_text("")
    Path("a/inside").mkdir()
    Path("a/inside/sft.yml").write_text("")
    assert course.recipe_files(["a", "a/world.yaml"]) == [Path("a/inside/sft.yml"), Path("a/world.yaml")]
    Path("empty").mkdir()
    with pytest.raises(UserMistake, match="empty: no recipe in this folder"):
        course.recipe_files(["empty"])
    assert main(["run", "a/wrold.yaml"]) == 2
    assert capsys.readouterr().err == "a/wrold.yaml: no such recipe or folder; did you mean world.yaml?\n"


def test_a_name_without_a_stage_is_told():
    (problem,) = course.check(write(wrold=SMALL_WORLD))[1][Path("a/wrold.yaml")]
    assert problem.message.splitlines() == [
        "hfllm has no stage wrold; there are arena, data, dpo, evaluate, grpo, identity, ppo, pretrain, probe, "
        "reward, rft, sft, synthesize, tokenizer, world; did you mean world?",
        "  the file name says the stage, as in world-mine.yaml; keys are checked here as those of world",
    ]


def test_overrides_belong_to_one_recipe(capsys):
    write(world=SMALL_WORLD, sft=sft("runs/a/sft", "org/m"))
    assert main(["run", "a", "--seed", "1"]) == 2
    assert capsys.readouterr().err == (
        "--seed: overrides belong to one recipe; name its file:  hfllm run FILE --seed ...\n"
    )
    assert main(["check", "a/world.yaml", "--sede", "1"]) == 2
    assert "--sede  no such key; did you mean seed?" in capsys.readouterr().err


def test_the_plan_and_its_parts(capsys):
    write(
        world=SMALL_WORLD,
        sft=sft("runs/a/sft", "org/m", "runs/a/world/conversations"),
        sft_more=sft("runs/a/more", "runs/a/sft", "runs/a/world/conversations"),
    )

    def plan(*words: str) -> list[str]:
        assert main(["run", "a", "--dry-run", *words]) == 0
        return capsys.readouterr().out.splitlines()

    assert plan() == [
        " 1 world     python  not run yet",
        "   a/world.yaml  ->  runs/a/world",
        " 2 sft       python  not run yet",
        "   a/sft.yaml + runs/a/world  ->  runs/a/sft",
        " 3 sft-more  python  not run yet",
        "   a/sft-more.yaml + runs/a/world + runs/a/sft  ->  runs/a/more",
    ]
    assert [line.split()[1] for line in plan("--from", "sft")[::2]] == ["sft", "sft-more"]
    assert [line.split()[1] for line in plan("--only", "world", "--only", "sft-more")[::2]] == ["world", "sft-more"]
    assert main(["run", "a", "--only", "stf"]) == 2
    assert capsys.readouterr().err == "stf: no such recipe here; there are world, sft, sft-more; did you mean sft?\n"
    assert not Path("runs").exists()


def test_a_course_runs_once_and_again_when_something_changed(capsys):
    write(world=SMALL_WORLD)
    receipt = Path("runs/a/world/run.json")

    def run(*words: str) -> str:
        assert main(["run", *(words or ["a"])]) == 0
        return capsys.readouterr().out

    def made(file: Path = receipt) -> int:
        return json.loads(file.read_text())["values"]["train_documents"]

    first = run()
    assert " 1 world  python  not run yet" in first
    assert "[1/1] world  python -m hfllm.stages.world a/world.yaml" in first
    assert "1 of 1 stages run in" in first
    assert made() == 40
    assert len(Path("runs/a/world/documents/test.jsonl").read_text().splitlines()) == 10
    written = receipt.stat().st_mtime_ns

    second = run()
    assert " 1 world  python  up to date" in second
    assert "Everything is up to date." in second
    assert receipt.stat().st_mtime_ns == written

    write(world=SMALL_WORLD.replace("train_documents: 40", "train_documents: 44"))
    assert " 1 world  python  train_documents changed" in run()
    assert made() == 44
    assert made(Path("runs/a/world.previous/run.json")) == 40

    assert "seed changed" in run("a/world.yaml", "--seed", "3")
    assert json.loads(receipt.read_text())["overrides"] == {"seed": 3}
    fresh = run("a", "--fresh")
    assert "asked for: --fresh" in fresh
    assert "a/world.yaml --fresh" in fresh
    assert json.loads(receipt.read_text())["overrides"] == {}


def test_the_first_failure_ends_the_course_with_its_own_words(capsys):
    write(
        world=SMALL_WORLD.replace("crawl_pages: 40", "crawl_pages: 3"), sft=sft("runs/a/sft", "org/m", "runs/a/world")
    )
    assert main(["run", "a"]) == 2
    said = capsys.readouterr().out
    assert "  crawl_pages: 3 is too few, write 40 or more" in said
    assert "world ended with exit status 2. Mend it; then the same command goes on from here." in said
    assert "[2/2]" not in said
    assert "Traceback" not in said
    assert not Path("runs/a/sft").exists()
    assert not Path("runs/a/world/run.json").exists()


TOKENIZER = "output_dir: runs/a/tokenizer\nvocab_size: 320\ndatasets:\n- path: runs/a/world/documents\n"


def test_two_stages_run_at_a_time_and_a_third_when_what_it_reads_is_there(capsys):
    write(world=SMALL_WORLD, world_two=SMALL_WORLD.replace("a/world", "a/two"), tokenizer=TOKENIZER)
    assert main(["run", "a", "--jobs", "2"]) == 0
    said = capsys.readouterr().out
    begun = [said.index(f"\n[{number}/3] {name}") for number, name in enumerate(("world", "world-two", "tokenizer"), 1)]
    assert begun == sorted(begun)
    ended = [said.index(f"\n  {name}: ", begun[0]) for name in ("world", "world-two")]
    assert max(begun[:2]) < min(ended)
    assert ended[0] < begun[2]
    assert Path("runs/a/two/run.json").exists()
    assert Path("runs/a/tokenizer/run.json").exists()


def test_beside_a_failure_a_stage_comes_to_its_end_and_nothing_else_begins(capsys):
    broken = SMALL_WORLD.replace("a/world", "a/two").replace("crawl_pages: 40", "crawl_pages: 3")
    write(world=SMALL_WORLD, world_two=broken, tokenizer=TOKENIZER)
    assert main(["run", "a", "--jobs", "2"]) == 2
    said = capsys.readouterr().out
    assert "  world-two: crawl_pages: 3 is too few, write 40 or more" in said
    assert "[3/3]" not in said
    assert Path("runs/a/world/run.json").exists()
    assert not Path("runs/a/tokenizer").exists()


def stub_stages(monkeypatch, **scripts: str) -> list[course.Step]:
    """Steps whose processes run these lines of Python instead of a stage."""
    texts = {name: SMALL_WORLD.replace("a/world", f"a/{name}") for name in scripts}
    recipes, _ = course.check(write(**{f"world_{name}": text for name, text in texts.items()}))
    commands = {f"runs/a/{name}": [sys.executable, "-c", script] for name, script in scripts.items()}
    monkeypatch.setattr(runner.launch, "command", lambda one, *_: commands[str(one.output_dir)])
    monkeypatch.setattr(runner, "_show_numbers", lambda *_: None)
    return course.plan(recipes)


def run_stubs(steps: list[course.Step], jobs: int) -> int:
    return runner.run(steps, [], None, Console(highlight=False), jobs)


def test_a_signal_between_two_stages_ends_the_course(monkeypatch, capsys):
    steps = stub_stages(monkeypatch, a="pass", b="print('b has begun')")
    monkeypatch.setattr(runner, "_show_numbers", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    assert run_stubs(steps, 1) == 128 + signal.SIGTERM
    assert "b has begun" not in capsys.readouterr().out


def test_a_signal_reaches_all_that_run_and_they_end_in_their_own_way(monkeypatch, capsys):
    polite = (
        "import os, signal, sys, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: (print('saved', flush=True), os._exit(143)))\n"
    )
    waits = polite + "time.sleep(60)"
    kills = polite + "time.sleep(1); os.kill(os.getppid(), signal.SIGTERM); time.sleep(60)"
    steps = stub_stages(monkeypatch, a=waits, b=kills, c="print('c has begun')")
    assert run_stubs(steps, 2) == 143
    said = capsys.readouterr().out
    assert said.count(": saved\n") == 2
    assert "c has begun" not in said


def test_the_exit_status_is_that_of_the_first_failure(monkeypatch):
    steps = stub_stages(monkeypatch, a="exit(3)", b="import time; time.sleep(1); exit(5)")
    assert run_stubs(steps, 2) == 3


def test_stages_share_the_cores_as_they_begin(monkeypatch, capsys):
    says = "import os; print('shared by', os.environ['HFLLM_CORES_SHARED_BY'])"
    steps = stub_stages(monkeypatch, a=says, b=says)
    assert run_stubs(steps, 4) == 0
    assert capsys.readouterr().out.count("shared by 2") == 2


def test_a_stage_that_cannot_be_started_is_told(monkeypatch, capsys):
    steps = stub_stages(monkeypatch, a="pass")
    monkeypatch.setattr(runner.launch, "command", lambda *_: ["no/such/program"])
    assert run_stubs(steps, 1) == 126
    assert "cannot be started: [Errno 2] No such file or directory: 'no/such/program'" in capsys.readouterr().out


def test_what_the_longest_row_waits_for_begins_first(monkeypatch, capsys):
    first = {name: SMALL_WORLD.replace("a/world", f"a/{name}") for name in ("a", "b", "c")}
    write(**{f"world_{name}": text for name, text in first.items()})
    write(sft=sft("runs/a/sft", "org/m", "runs/a/c/conversations"), sft_more=sft("runs/a/more", "runs/a/sft"))
    write(sft_b=sft("runs/a/sft-b", "org/m", "runs/a/b/conversations"))
    recipes, problems = course.check(course.recipe_files(["a"]))
    assert not problems
    monkeypatch.setattr(runner.launch, "command", lambda *_: [sys.executable, "-c", "import time; time.sleep(0.2)"])
    monkeypatch.setattr(runner, "_show_numbers", lambda *_: None)
    assert run_stubs(course.plan(recipes), 2) == 0
    begun = re.findall(r"^\[\d/6\] (\S+)", capsys.readouterr().out, flags=re.MULTILINE)
    assert begun[:2] == ["world-c", "world-b"]  # two stages in a row wait for c, one for b, none for a


def test_a_selection_of_nothing_is_told(capsys):
    write(world=SMALL_WORLD, sft=sft("runs/a/sft", "org/m", "runs/a/world/conversations"))
    assert main(["run", "a", "--from", "sft", "--only", "world"]) == 2
    assert capsys.readouterr().err == "--only world: runs before --from sft; leave one of them out\n"


@pytest.mark.parametrize("count", ["0", "two", "-1"])
def test_a_number_of_jobs_is_a_number(count, capsys):
    write(world=SMALL_WORLD)
    with pytest.raises(SystemExit) as ended:
        main(["run", "a", f"--jobs={count}"])
    assert ended.value.code == 2
    assert f"argument --jobs: {count} is not a number from 1 on" in capsys.readouterr().err


def test_an_edited_input_file_is_a_reason(capsys):
    """A stage that is up to date names the file that makes it run again; nothing is trained for this."""
    Path("mine.jsonl").write_text("{}\n")
    write(sft=sft("runs/a/sft", "org/m", "mine.jsonl"))
    recipes, _ = course.check([Path("a/sft.yaml")])
    from hfllm import receipt

    with receipt.writing(recipes[0]):
        pass
    assert course.plan(recipes)[0].reason is None
    Path("mine.jsonl").write_text("{}\n{}\n")
    assert course.plan(recipes)[0].reason == "mine.jsonl changed"
    assert course.plan(recipes, fresh=True)[0].reason == "asked for: --fresh"


def test_a_template_that_leads_nowhere_is_told():
    files = write(sft="chat_template_path: mine.jinja\n" + sft("runs/a/sft", "org/model"))
    assert messages(files) == ["chat_template_path: 'mine.jinja': no such file or folder, and no recipe here writes it"]
