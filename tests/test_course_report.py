"""`hfllm report`: every number of the run folders is on the page, nothing that a model said is more than text."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from hfllm.cli import main
from hfllm.report import bars, lines, runs
from hfllm.report.files import Reader, points
from hfllm.report.page import page
from tests import stand_in
from tests.test_web_report import Tree

EVIL = "</script><img src=x onerror=alert(1)>"
CHROMIUMS = (None, "/usr/bin/chromium", "/usr/lib/chromium/chromium")  # Playwright's own, Debian's
ORDER = [
    *("world", "data", "tokenizer", "pretrain", "sft", "sft-tools", "grpo", "rft", "reward", "ppo", "dpo", "probe"),
    *("identity", "evaluate", "arena"),
]
SECTIONS = {  # which section goes away with which run
    "data": "funnel-data",
    "tokenizer": "tokens",
    "pretrain": "pretraining-pretrain",
    "sft": "fine-tuning",
    "sft-tools": "tools",
    "evaluate": "skills-evaluate",
    "arena": "arena-arena",
    "ppo": "over-optimisation",
}
# A loss of 4.0 nats a token is 4 * 0.4565 = 1.826 bits a byte, as unseen text says; 6.02 % is written with one digit;
# a KL of 2.25 lies at its root, 1.5.
FIGURES = """
1,013 979 823 611 148 212 1,777 2.713 431,234 2,345,678 0.4567 0.913 0.4565 1.826 1.696 0.2054 0.2317 5,123 4,019
343,671 108,971 4.3 89.3 51.2 29.33 363 419 6 36.6 95.8 89.5 114 87.2 92 65.3 88.1 1.437 1.743 0.719 2.25 2.89 1.5
1,314 134 32 21 4,511 94 62.5 98.6 93.4 95.3 31 16.3 27.3 67 25.9 83 1,205 1,000 446 74.5 1,159 1,256
"""


def receipt(name: str, inputs: list[str], numbers: dict[str, Any], **more: Any) -> dict[str, Any]:
    place = ORDER.index(name)
    return {
        "stage": name.partition("-")[0],
        "recipe": f"recipes/tiny/{name}.yaml",
        "values": {"output_dir": f"runs/tiny/{name}", "seed": 7001 + place},
        "overrides": {},
        "inputs": {f"runs/tiny/{one}": "0123456789abcdef" for one in inputs},
        "numbers": numbers,
        "seconds": 5.31 + place,
        "peak_memory_bytes": 410_000_000 + 10_000_000 * place,
        "num_processes": 1,
        "finished": f"2026-03-04T05:{40 - place:02}:00+00:00",  # the later a stage, the earlier it ended: inputs count
        "versions": {"python": "3.11.91", "hfllm": "0.9.17"},
        "git": "deadbeefcafe0123",
        "machine": "Linux x86_64, 3 CPU cores",
    } | more


class Folder:
    """A course in `root`/runs/tiny, written by hand."""

    def __init__(self, root: Path) -> None:
        self.path = root / "runs" / "tiny"

    def write(self, name: str, content: Any) -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        many = name.endswith(".jsonl")
        text = "".join(json.dumps(row) + "\n" for row in content) if many else json.dumps(content)
        file.write_text(text, encoding="utf-8")

    def run(self, name: str, inputs: list[str], numbers: dict[str, Any], **more: Any) -> None:
        self.write(f"{name}/run.json", receipt(name, inputs, numbers, **more))

    def page(self) -> str:
        return page(runs.find([self.path]))


@pytest.fixture
def course(tmp_path: Path) -> Folder:
    """Numbers that nothing else on the page is."""
    folder = Folder(tmp_path)
    folder.run("world", [], {"people": 450})
    write_text(folder)
    write_training(folder)
    write_preferences(folder)
    write_evaluation(folder)
    return folder


def write_text(folder: Folder) -> None:
    folder.run("data", ["world", "tokenizer"], {"documents": 611})
    steps = [
        {"name": "language", "documents_in": 979, "documents_out": 823, "dropped": {"other": 148, EVIL: 8}},
        {"name": "minhash", "documents_in": 823, "documents_out": 611, "dropped": {"duplicate": 212}},
    ]
    folder.write("data/funnel.json", {"records": 1013, "documents": 979, "not_pages": {"status": 34}, "steps": steps})
    numbers = {"vocab_size": 1777, "bytes_per_token": 2.713, "longest_tokens": [" profession"]}
    folder.run("tokenizer", ["world"], numbers)
    stand_in.make_tokenizer(folder.path / "tokenizer")
    numbers = {"parameters": 431_234, "tokens": 2_345_678, "eval_bits_per_byte": 0.4567, "tokens_per_second": 6149}
    folder.run("pretrain", ["tokenizer", "world"], numbers)
    texts = [{"prompt": "Once", "text": f" there {word} {EVIL}"} for word in ("was", "is")]
    folder.write(
        "pretrain/log.jsonl",
        [
            {"loss": 4.0, "step": 10, "tokens": 1000},
            {"loss": float("nan"), "step": 20, "tokens": 2000},  # as a run writes that diverges for a moment
            {"eval_loss": 2.0, "eval_bits_per_byte": 0.913, "step": 10},
            {"step": 10, "samples": texts[:1]},
            {"loss": 1.0, "step": 30, "tokens": 3000},
            {"eval_loss": 1.0, "eval_bits_per_byte": 0.4565, "step": 30},
            {"step": 30, "samples": texts[1:]},
        ],
    )


def write_training(folder: Folder) -> None:
    data = {"runs/tiny/world/conversations [train]": {"rows": 5123, "tokens": 343_671, "trained_tokens": 108_971}}
    log = [{"loss": 1.6961, "step": 25}, {"loss": 0.2054, "step": 50}, {"eval_loss": 0.2317, "step": 50}]
    folder.run("sft", ["pretrain", "world"], {"data": data, "train_loss": 0.2053}, overrides={"learning_rate": 0.00137})
    folder.run("sft-tools", ["sft", "world"], {"data": {"one": {"rows": 4019}}})
    for name in ("sft", "sft-tools"):
        folder.write(f"{name}/log.jsonl", log)
    numbers = {"before_pass@1": 0.043, "eval_pass@1": 0.893, "before_completions/mean_length": 10.28}
    folder.run("grpo", ["sft"], numbers)
    said = [{"prompt": "1+1=?", "completion": EVIL, "rewards": {"accuracy": 0.0}}]
    accuracy, length = "rewards/accuracy/mean", "completions/mean_length"
    folder.write(
        "grpo/log.jsonl",
        [
            {"step": 0, f"eval_{accuracy}": 0.0437, f"eval_{length}": 10.21},
            {"step": 0, "completions": said},
            {"step": 4, accuracy: 0.512, length: 19.3},
            {"step": 8, f"eval_{accuracy}": 0.871, f"eval_{length}": 29.33},
            {"step": 8, "completions": [{"prompt": "1+1=?", "completion": "It is 2.", "rewards": {"accuracy": 1.0}}]},
        ],
    )
    solved = {"always_solved": 3, "sometimes_solved": 363, "never_solved": 634}
    folder.run("rft", ["sft"], {"problems": 1000, "pass@1": 0.0602, "pass@8": 0.366, "rows": 419, **solved})


def write_preferences(folder: Folder) -> None:
    folder.run("reward", ["sft"], {"accuracy": 0.958})
    by_length = {"chosen_shorter": {"pairs": 114, "accuracy": 0.8947, "standard_error": 0.03}}
    judged = {"pairs": 1773, "accuracy": 0.9583, "accuracy_standard_error": 0.005, "accuracy_by_length": by_length}
    folder.write("reward/reward_model.json", judged | {"findings": ["length bias: 87.2% prefer the longer"]})
    folder.run("ppo", ["sft", "reward"], {})

    def seen(step: int, kl: float, proxy: float, audit: float | None) -> dict[str, Any]:
        return {"step": step, "kl": kl, "proxy": {"z": proxy}, "rewards": {"reward-careful": {"z": audit}}}

    watch = {
        "reason": "the audit hardly prefers what the proxy prefers",
        "events": [{"step": 124, "action": "stop"}],
        **{"best_step": 64, "final_step": 64, "audits": ["reward-careful"], "warnings": ["the proxy can be exploited"]},
        "evaluations": [seen(0, 0.0, 0.0, 0.0), seen(64, 2.25, 1.437, 0.719), seen(124, 2.89, 1.743, None)],
    }
    folder.write("ppo/watch.json", watch)
    folder.run("dpo", ["sft"], {"eval_rewards/accuracies": 0.92})
    log = [{"rewards/accuracies": 0.653, "step": 10}, {"rewards/accuracies": 0.881, "step": 20}]
    folder.write("dpo/log.jsonl", log)


def write_evaluation(folder: Folder) -> None:
    folder.run("probe", ["sft"], {})
    rows = {"stranger": {"right": 0.0573, "wrong": 0.9427, "refused": 0.0, "of_k": [1314, 134, 32, 21]}}
    folder.write("probe/calibration.json", {"samples": 3, "all": {}, "by": rows})
    values = {"output_dir": "runs/tiny/identity", "name": "Pip", "maker": "the Little Lab"}
    folder.run("identity", [], {"train": {"conversations": 4511}, "test": {"conversations": 94}}, values=values)
    folder.run("evaluate", ["pretrain", "sft", "grpo", "identity"], {})
    measured = {
        ("hallucination", "", "made_up"): (1.0, 0.625),
        ("known_facts", "well_known", "right"): (0.986, 0.934),
        ("known_facts", "well_known", "wrong"): (0.014, 0.026),
        ("known_facts", "well_known", "refused"): (0.0, 0.041),
        ("identity", "none", "right"): (0.017, 0.953),
        ("open_book", "closed", "right"): (0.037, 0.075),
        ("open_book", "open", "right"): (0.31, 0.163),
        ("open_book", "open - closed", "right"): (-0.273, 0.088),
        ("recitation", "anthem", "longest_run_tokens"): (67.0, 4.5),
        ("lm-eval arc", "", "acc_norm"): (0.247, 0.259),
    }
    results = [
        {"measure": measure, "group": group, "metric": metric, "value": value, "model": f"runs/tiny/{model}",
         "low": value - 0.011, "high": value + 0.012, "questions": 83}
        for (measure, group, metric), values in measured.items()
        for model, value in zip(("sft", "sft-idk"), values, strict=True)
    ]  # fmt: skip
    folder.write("evaluate/results.json", {"models": ["runs/tiny/sft", "runs/tiny/sft-idk"], "results": results})
    said = {"runs/tiny/sft": EVIL, "runs/tiny/sft-idk": "I am Pip."}
    sample = {"measure": "identity", "group": "none", "prompt": f"Who are you? {EVIL}", "expected": "Pip"}
    measures = {"runs/tiny/sft": {"right": 0.0}, "runs/tiny/sft-idk": {"right": 1.0}}
    folder.write("evaluate/samples.jsonl", [sample | {"answers": said, "measures": measures}])
    players = [
        {"name": f"runs/tiny/{name}", "rating": rating, "low": rating - 46.0, "high": rating + 51.0,
         "battles": 600, "wins": wins, "losses": 597 - wins, "ties": 3}
        for name, rating, wins in (("ppo", 1205.1, 446), ("sft", 1000.2, 151))
    ]  # fmt: skip
    rated = {"players": players, "win_rates": {"runs/tiny/ppo": {"runs/tiny/sft": 0.745}}, "battles": 1203, "ties": 3}
    rest = {"not_judged": 0, "notes": [], "judge": "the judge", "anchor": None, "position": None, "agreement": None}
    folder.run("arena", ["sft", "ppo"], {})
    folder.write("arena/ratings.json", rated | rest)


def words(text: str) -> str:
    """With plain spaces, one between two words."""
    return " ".join(text.split())


def ids(html: str) -> set[str]:
    return {str(attributes["id"]) for _, attributes in Tree(html).elements if "id" in attributes}


def assert_stands_alone(html: str) -> Tree:
    """Whole HTML, ids once, no script, nothing loaded, links into the page alone, headings in their order."""
    tree = Tree(html)
    assert not tree.open
    names = [tag for tag, _ in tree.elements]
    assert not set(names) & {"script", "img", "link", "iframe", "object", "embed", "base", "form", "audio", "use"}
    all_ids = [attributes["id"] for _, attributes in tree.elements if "id" in attributes]
    assert len(all_ids) == len(set(all_ids))
    for _, attributes in tree.elements:
        assert not {name for name in attributes if name.startswith("on")} | attributes.keys() & {"src", "xlink:href"}
        assert "href" not in attributes or str(attributes["href"]).removeprefix("#") in all_ids
    assert not re.search(r"url\(|@import|https?://", html)
    policy = next(attributes for _, attributes in tree.elements if "http-equiv" in attributes)
    assert str(policy["content"]).startswith("default-src 'none'; style-src 'unsafe-inline';")
    levels = [int(name[1]) for name in names if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    drawings = [attributes for tag, attributes in tree.elements if tag == "svg"]
    assert all("viewbox" in one or "aria-hidden" in one or one.get("aria-label") for one in drawings)
    return tree


def test_every_number_is_on_the_page(course: Folder) -> None:
    text = words(assert_stands_alone(course.page()).text)
    shown = {one.rstrip(",") for one in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}
    assert set(FIGURES.split()) <= shown
    assert {"1203", "3.11.91", "0.9.17", "7003", "0.00137"} <= set(re.findall(r"[\d.]+\d", text))
    assert "deadbeefcafe" in text


def test_the_page_opens_with_what_came_of_it(course: Folder) -> None:
    html = course.page()
    text = words(Tree(html.partition("</header>")[0] + "</header></body></html>").text)
    # 15 stages: 15 * 5.31 + (0 + ... + 14 = 105) = 184.65 s
    assert "15 stages in 3 min 05 s on Linux x86_64, 3 CPU cores." in text
    assert "431,234" in text
    assert "4.3 % → 89.3 %" in text
    assert "100 % → 62.5 %" in text
    path = re.findall(r"<li><a href=\"#([^\"]+)\"><bdi>([^<]+)</bdi>", html)
    assert [name for _, name in path].index("data") > [name for _, name in path].index("tokenizer")
    anchors = {name: anchor for anchor, name in path}
    assert (anchors["grpo"], anchors["identity"], anchors["world"]) == ("practice", "identity", "recipe-0")


def test_a_run_comes_after_what_it_read(course: Folder) -> None:
    found = runs.find([course.path]).runs
    names = [run.name for run in found]
    assert sorted(names) == sorted(ORDER)
    assert names[:6] == ["world", "tokenizer", "data", "pretrain", "sft", "sft-tools"]
    for run in found:
        assert all(names.index(one) < names.index(run.name) for one in run.after)
    assert set(next(run for run in found if run.name == "evaluate").after) == {"identity", "grpo", "sft", "pretrain"}


@pytest.mark.parametrize(("name", "section"), SECTIONS.items())
def test_a_section_goes_away_with_its_run(course: Folder, name: str, section: str) -> None:
    assert section in ids(course.page())
    (course.path / name / "run.json").unlink()
    html = course.page()
    assert section not in ids(html)
    assert "left-out" not in ids(html)
    assert_stands_alone(html)


def test_one_run_alone_is_a_page(course: Folder) -> None:
    html = page(runs.find([course.path / "grpo"]))
    assert {"course", "practice", "cost", "recipes"} <= ids(html)
    assert "knowledge" not in ids(html)
    assert "1 stage in" in html


def test_what_models_say_is_only_text(course: Folder) -> None:
    html = course.page()
    tree = assert_stands_alone(html)
    assert "<img" not in html
    assert html.count("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;") >= 5
    assert tree.text.count(EVIL) >= 5


def test_nothing_in_a_receipt_is_more_than_text(course: Folder) -> None:
    file = course.path / "sft" / "run.json"
    content = json.loads(file.read_text())
    content |= {"recipe": EVIL, "machine": EVIL, "git": EVIL, "versions": {EVIL: EVIL}, "overrides": {EVIL: EVIL}}
    content["values"] |= {EVIL: [EVIL, "\u202eturned\x00"], "seed": EVIL}
    file.write_text(json.dumps(content))
    html = course.page()
    assert_stands_alone(html)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", html)


def test_long_texts_are_cut(course: Folder) -> None:
    row = {"step": 8, "completions": [{"prompt": "p" * 9000, "completion": "word " * 9000}]}
    course.write("grpo/log.jsonl", [{"step": 0, "rewards/accuracy/mean": 0.1}, row])
    before = len(course.page())
    assert before < 250_000
    assert "p" * 400 not in course.page()


def test_an_unfinished_run_is_named(course: Folder) -> None:
    (course.path / "sft" / "run.json").rename(course.path / "sft" / "run.started.json")
    course.write("sft.previous/run.json", receipt("sft", [], {}))
    html = course.page()
    assert "sft is not finished" in html.partition('id="left-out"')[2]
    assert "sft.previous" not in html


@pytest.mark.parametrize(
    ("file", "content", "section"),
    [
        ("ppo/watch.json", "{", "over-optimisation"),
        ("ppo/watch.json", '{"evaluations": []}', "over-optimisation"),
        ("ppo/watch.json", '{"evaluations": [{"step": 1, "kl": "far"}]}', "over-optimisation"),
        ("data/funnel.json", '{"steps": 3}', "funnel-data"),
        ("arena/ratings.json", '{"players": [1]}', "arena-arena"),
        ("arena/ratings.json", '{"players": []}', "arena-arena"),
        ("evaluate/results.json", '{"models": ["a"], "results": [{"model": "b"}]}', "skills-evaluate"),
        ("evaluate/results.json", "[]", "skills-evaluate"),
        ("grpo/log.jsonl", "[1]\n", None),
        ("pretrain/log.jsonl", '{"step": 1, "samples": [{}]}\n', None),
        ("probe/calibration.json", '{"all": {"of_k": []}}', None),
        ("reward/reward_model.json", "null", None),
        ("tokenizer/tokenizer.json", "{}", None),
        ("sft/log.jsonl", "no json\n", None),
        ("evaluate/samples.jsonl", '{"measure": "identity"}\n', None),
        ("sft/run.json", '{"stage": "sft"}', "fine-tuning"),
    ],
)
def test_a_broken_file_is_named_and_left_out(course: Folder, file: str, content: str, section: str | None) -> None:
    (course.path / file).write_text(content)
    html = course.page()
    assert f"<li><bdi>{file} is not as the stage wrote it" in html.partition('id="left-out"')[2]
    assert html.count(f"{file} is not as") == 1
    assert section not in ids(html)
    assert_stands_alone(html)


def test_two_courses_on_one_page(tmp_path: Path) -> None:
    for one in ("a", "b"):
        Folder(tmp_path / one).run("sft", [], {})
    found = runs.find([tmp_path / one / "runs" / "tiny" for one in ("a", "b")])
    assert [run.name for run in found.runs] == ["tiny/sft", "tiny/sft"]
    assert_stands_alone(page(found))


def test_energy_is_told_where_it_was_measured(course: Folder) -> None:
    assert "energy" not in course.page()
    course.run("world", [], {"energy_joules": 5127.0})
    text = words(Tree(course.page()).text)
    assert "energy_joules" in text
    assert "5,127" in text


# the verb


def test_the_verb_writes_beside_the_runs(course: Folder, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(course.path.parents[1])
    assert main(["report", "runs/tiny"]) == 0
    assert capsys.readouterr().out == "wrote runs/tiny/report.html\n"
    assert (course.path / "report.html").read_text(encoding="utf-8") == page(runs.find([Path("runs/tiny")]))
    assert [one.name for one in course.path.iterdir() if "report" in one.name] == ["report.html"]
    shutil.copytree("runs/tiny/sft", "runs/sft")
    assert main(["report", "runs"]) == 0
    assert "the runs in tiny:  hfllm report runs/tiny" in Path("runs/report.html").read_text(encoding="utf-8")
    assert main(["report", "runs/tiny/sft", "runs/tiny/grpo", "-o", "two.html"]) == 0
    assert "2 stages" in Path("two.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["runs/tinny"], "runs/tinny: no such folder; did you mean tiny?\n"),
        (["nowhere/at/all"], "nowhere/at/all: no such folder\n"),
        (["runs/tiny/sft/run.json"], "runs/tiny/sft/run.json: is a file; name the folder of a run, or a folder of run"),
        (["runs"], "runs: no run folder; there are some one folder deeper:  hfllm report runs/tiny\n"),
        (["empty"], "empty: no finished run there;\n  a run folder is what a stage wrote, with a receipt run.json"),
        (["begun"], "begun: no finished run there;\n  begun is not finished:  hfllm run  goes on with it\n  a run"),
        (["runs/tiny", "-o", "no/such/page.html"], "no/such/page.html: there is no folder no/such; make it, or write"),
        (["runs/tiny", "-o", "empty"], "empty: is a folder; write the name of a file, such as  -o empty/report.html\n"),
        (["runs/tiny/sft", "runs/tiny/grpo"], "hfllm report: of several folders, say where the page goes:  -o "),
    ],
)
def test_mistakes(course: Folder, monkeypatch: pytest.MonkeyPatch, capsys: Any, given: list[str], said: str) -> None:
    monkeypatch.chdir(course.path.parents[1])
    Path("empty").mkdir()
    Path("begun").mkdir()
    Path("begun/run.started.json").write_text("{}")
    assert main(["report", *given]) == 2
    assert capsys.readouterr().err.startswith(said)
    assert not list(Path().rglob("*.html"))


@pytest.mark.parametrize("given", [["report"], ["report", "runs/tiny", "--outptu", "x"]])
def test_words_that_the_verb_does_not_know(given: list[str], capsys: Any) -> None:
    with pytest.raises(SystemExit) as end:
        main(given)
    assert end.value.code == 2
    assert "usage: hfllm report" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(course: Folder, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.chdir(course.path.parents[1])
    Path("closed").mkdir(mode=0o500)
    assert main(["report", "runs/tiny", "-o", "closed/page.html"]) == 2
    assert capsys.readouterr().err.startswith("closed/page.html: cannot be written: Permission denied")


def test_the_old_page_stays_when_none_can_be_written(
    course: Folder, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(course.path.parents[1])
    Path("page.html").write_text("old")
    Path(".page.html.part").mkdir()  # nothing can be written there
    assert main(["report", "runs/tiny", "-o", "page.html"]) == 2
    assert capsys.readouterr().err.startswith("page.html: cannot be written: Is a directory")
    assert Path("page.html").read_text() == "old"


def test_no_torch_is_loaded_for_a_page(course: Folder) -> None:
    program = (
        "import sys; from hfllm.cli import main; status = main(sys.argv[1:])\n"
        "print(status, [name for name in ('torch', 'transformers', 'datasets', 'trl') if name in sys.modules])"
    )
    command = [sys.executable, "-c", program, "report", str(course.path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


# charts: arithmetic by hand


def test_axes_have_round_numbers() -> None:
    assert lines.ticks(0, 2000, 4) == [0, 500, 1000, 1500, 2000]
    assert lines.ticks(0, 0.3, 3) == [0, 0.1, 0.2, 0.3]
    assert lines.ticks(-1, 2, 3) == [-1, 0, 1, 2]
    assert [lines.round_step(size) for size in (0.3, 1, 1.1, 2.2, 6, 0.0007)] == [0.5, 1, 2, 2.5, 10, 0.001]
    axis = lines.axis("loss", [0.3, 3.7])
    assert (axis.low, axis.high, axis.place(1)) == (0, 4, 25)
    assert (lines.axis("gain", [-0.3, 1.7]).low, lines.axis("gain", [-0.3, 1.7]).high) == (-0.5, 2)
    assert (lines.axis("loss", []).high, lines.axis("loss", [0.0]).high, lines.along("step", []).high) == (1, 1, 1)


def test_a_curve_lies_on_its_axes() -> None:
    x, y = lines.along("step", [0, 50]), lines.axis("loss", [4.0])
    drawn = lines.chart("c", "m", [lines.Curve("one", [(0, 4.0), (10, 1.0)], dots=True)], x, y, marks=[(10, "here")])
    assert drawn.curves[0].path == "0.0,0.0 200.0,750.0"
    assert [(dot.x, dot.y) for dot in drawn.curves[0].dots] == [(0, 0), (20, 75)]
    assert [(mark.at, mark.left, mark.level) for mark in drawn.marks] == [(20, False, 0)]
    assert drawn.numbers.rows == [["0", "4"], ["10", "1"]]


def test_a_long_curve_is_thinned() -> None:
    points = [(float(step), 1.0) for step in range(10_001)]
    assert lines.thinned(points, 3) == [points[0], points[5000], points[10_000]]
    drawn = lines.chart("c", "m", [lines.Curve("one", points)], lines.along("s", [1e4]), lines.axis("l", [1]))
    assert len(drawn.curves[0].path.split()) == lines.MOST_POINTS
    assert len(drawn.numbers.rows) == lines.MOST_ROWS


def test_bars_end_where_their_chart_does() -> None:
    stack = bars.stack("a", "4", [("right", "one", 1), ("wrong", "none", 0), ("lost", "three", 3)], 8)
    assert [(part.look, part.x, part.width) for part in stack.parts] == [("right", 0, 12.5), ("lost", 12.5, 37.5)]
    assert [bars.percent(value, 2) for value in (-1, 0, 1, 3)] == [0, 0, 50, 100]
    assert bars.percent(1, 0) == 0
    measured = bars.measured("a", 0.5, 0.25, 1.25, "50 %")
    assert (measured.parts[0].width, measured.low, measured.high) == (50, 25, 100)


def test_what_is_no_number_is_no_point() -> None:
    rows = [{"step": 1, "loss": 0.5}, {"step": 2, "loss": float("nan")}, {"step": 3, "loss": True}, {"step": 4}]
    assert points(rows, "step", "loss", 2) == [(1, 1.0)]


def test_the_last_line_of_a_killed_run_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "log.jsonl").write_text('{"step": 1}\n{"st')
    reader = Reader()
    assert reader.lines(tmp_path / "log.jsonl", list) == [{"step": 1}]
    assert reader.lines(tmp_path / "none.jsonl", list) is None
    assert reader.notes == []


# in a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Playwright's Chromium, or the system's."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs Playwright:  pip install playwright")
    with playwright.sync_playwright() as started:
        for place in CHROMIUMS:
            if place is None or Path(place).exists():
                try:
                    found = started.chromium.launch(executable_path=place, args=["--no-sandbox"])
                except playwright.Error:
                    continue
                yield found
                found.close()
                return
        pytest.skip("no Chromium can be started:  playwright install chromium")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_whole(course: Folder, browser: Any, width: int, scheme: str) -> None:
    file = course.path / "report.html"
    file.write_text(course.page(), encoding="utf-8")
    said: list[str] = []
    shown = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    note: Callable[[str], None] = said.append
    shown.on("console", lambda message: note(message.text))
    shown.on("pageerror", lambda error: note(str(error)))
    shown.on("request", lambda request: None if request.url == file.as_uri() else note(request.url))
    shown.goto(file.as_uri())
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    shown.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    assert shown.evaluate("document.documentElement.scrollWidth") <= width
    sizes = "[...document.querySelectorAll('svg text')].map(one => parseFloat(getComputedStyle(one).fontSize))"
    assert min(shown.evaluate(sizes)) >= 11
    assert said == []
    shown.close()
