"""The stage arena: ratings by hand, what is asked and judged, what a run that was cut off keeps, what it refuses."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import stand_in

from hfllm import arena, json_lines, keys
from hfllm.arena import Battle, first_share, rate
from hfllm.battles import answers, by_model, by_person, fights, judges, prompts, table
from hfllm.battles.fights import Fight, Verdict
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.markdown import plain
from hfllm.stages import arena as stage
from hfllm.stages.arena import ArenaConfig
from hfllm.tasks import TaskConfig

ODDS = 400 / math.log(10)  # rating points of one nat

MINE = """
from datasets import Dataset

def shorter(completions, *, prompts, **columns):
    assert all(prompt[-1]["role"] == "user" for prompt in prompts)
    return [-float(len(one[0]["content"])) for one in completions]

def undecided(completions, **columns):
    return [None] * len(completions)

def too_few(completions, **columns):
    return [1.0]

def words(completions, **columns):
    return ["good"] * len(completions)

def named(completions, *, animal, **columns):
    return [float(name in one[0]["content"]) for name, one in zip(animal, completions)]

def load(split):
    return Dataset.from_list([{"prompt": f"{n}?", "answer": str(n)} for n in range(3)])

def score(completion, row):
    return float(len(completion) % 7)
"""


def fought(*results: tuple[str, str, str | None]) -> list[Battle]:
    return [Battle(*result) for result in results]


def ratings(battles: list[Battle], **options: Any) -> dict[str, float]:
    return {player.name: player.rating for player in rate(battles, bootstrap=0, **options).players}


def test_two_players_by_hand() -> None:
    # won three of four: odds 3, ln 3 nats apart; the mean is 1000
    battles = fought(*[("x", "y", "model_a")] * 3, ("x", "y", "model_b"))
    half = ODDS * math.log(3) / 2
    assert ratings(battles) == {"x": round(1000 + half, 1), "y": round(1000 - half, 1)}
    assert ratings(battles, anchor="y") == {"x": round(1000 + 2 * half, 1), "y": 1000.0}


def test_a_tie_is_half_a_win_to_each_and_so_is_both_bad() -> None:
    halves = fought(("x", "y", "tie"), ("x", "y", "both_bad"), ("x", "y", "model_a"))  # 2 points to 1
    assert ratings(halves) == ratings(fought(*[("x", "y", "model_a")] * 2, ("y", "x", "model_a")))
    player = rate(halves).players[0]
    assert (player.name, player.battles, player.wins, player.losses, player.ties) == ("x", 3, 1, 0, 2)
    assert rate(halves).win_rates == {"x": {"y": 0.6667}, "y": {"x": 0.3333}}


def test_neither_order_nor_side_says_anything() -> None:
    battles = simulated({"a": 1.0, "b": 0.0, "c": -0.5}, 60, np.random.default_rng(1))
    other = {"model_a": "model_b", "model_b": "model_a"}
    turned = [Battle(one.model_b, one.model_a, other[str(one.winner)]) for one in reversed(battles)]  # type: ignore[arg-type]
    assert ratings(battles) == ratings(turned)
    assert set(ratings(fought(("a", "b", "model_a"), ("b", "c", "model_a"), ("c", "a", "model_a"))).values()) == {
        1000.0
    }


def simulated(strengths: dict[str, float], each: int, generator: np.random.Generator) -> list[Battle]:
    names = list(strengths)
    pairs = [(a, b) for place, a in enumerate(names) for b in names[place + 1 :]] * each
    chances = [1 / (1 + math.exp(strengths[b] - strengths[a])) for a, b in pairs]
    return [
        Battle(a, b, "model_a" if draw < chance else "model_b")
        for (a, b), chance, draw in zip(pairs, chances, generator.random(len(pairs)), strict=True)
    ]


def test_at_the_maximum_everyone_has_won_what_was_to_be_expected() -> None:
    points = np.random.default_rng(0).uniform(0.1, 900, (5, 6, 6)) * (1 - np.eye(6))  # far from even, and not whole
    points[0, 0] *= 1e-4
    found = arena.strengths(points)
    chance = 1 / (1 + np.exp(found[:, None, :] - found[:, :, None]))
    expected = ((points + points.transpose(0, 2, 1)) * chance).sum(2)
    assert expected == pytest.approx(points.sum(2), rel=1e-6)
    assert found.sum(1) == pytest.approx(0, abs=1e-9)


def test_intervals_hold_the_truth() -> None:
    truth, generator = {"a": 0.8, "b": 0.1, "c": -0.2, "d": -0.7}, np.random.default_rng(2)
    inside = []
    for _ in range(40):
        players = rate(simulated(truth, 50, generator), bootstrap=200).players
        inside += [bool(one.low <= 1000 + ODDS * truth[one.name] <= one.high) for one in players]  # type: ignore[operator]
    assert 0.90 < sum(inside) / len(inside) <= 1  # 95 % of 160


def test_intervals_are_seeded_and_draw_whole_units() -> None:
    once = [Battle("x", "y", "model_a" if number % 3 else "model_b", number) for number in range(30)]
    player, same, other = (rate(once, seed=seed).players[0] for seed in (1, 1, 2))
    assert player == same != other
    assert rate(once * 4, seed=1).players[0].low == player.low  # four judges of one answer are no four answers
    apart = [Battle(one.model_a, one.model_b, one.winner) for one in once * 4]
    assert rate(apart, seed=1).players[0].low > player.low  # type: ignore[operator]
    assert rate([Battle("x", "y", "tie", 0)] * 3).players[0].low is None  # one prompt says nothing of others


def test_who_never_lost_gets_a_prior_and_the_reader_is_told() -> None:
    standings = rate(fought(*[("x", "y", "model_a")] * 3))
    assert standings.players[0].rating == round(1000 + ODDS * math.log(3.5 / 0.5) / 2, 1)  # one tie more
    assert "x never lost to the others" in standings.notes[0]
    assert "one tie more (a prior)" in standings.notes[0]
    assert rate(fought(("x", "y", "model_a"), ("y", "x", "model_a"))).notes == []
    two = rate(
        fought(("a", "b", "tie"), ("c", "d", "tie"), *[(one, other, "model_a") for one in "ab" for other in "cd"])
    )
    assert two.notes[0].startswith("a, b never lost to the others")


def test_who_never_met_is_told() -> None:
    battles = fought(("a", "b", "tie"), ("c", "d", "model_a"), ("d", "c", "model_a"), ("a", "c", None))
    standings = rate(battles, anchor="a")
    assert standings.notes[0].startswith("2 groups that never met")
    assert standings.notes[0].endswith("a, b; c, d")
    assert {player.rating for player in standings.players} == {1000.0}
    assert standings.win_rates["a"] == {"b": 0.5, "c": None, "d": None}
    assert (standings.battles, standings.not_judged) == (3, 1)


def test_nothing_to_rate() -> None:
    with pytest.raises(ValueError, match="no battle was judged"):
        rate(fought(("a", "b", None)))
    with pytest.raises(ValueError, match="the anchor z is no player; there are a, b"):
        rate(fought(("a", "b", "tie")), anchor="z")


def test_position_bias_by_hand() -> None:
    # three of four choices for the first: sqrt(.75 * .25 / 4)
    found = first_share(["first", "first", "tie", None, "first", "second"])
    assert found == {"first": 0.75, "standard_error": 0.2165, "choices": 4}
    assert first_share(["tie", "both_bad"]) is None


def write(file: Path, rows: list[Any]) -> str:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Hello", "kind": 1},
        {"prompt": [{"role": "user", "content": "Hello"}], "kind": 1},
        {"messages": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi"}], "kind": 1},
    ],
)
def test_prompts_of_all_layouts(row: dict[str, Any], tmp_path: Path) -> None:
    rows = prompts.load([DatasetConfig(write(tmp_path / "rows.jsonl", [row]))], [])
    assert rows == [{"prompt": [{"role": "user", "content": "Hello"}], "kind": 1}]


def test_prompts_that_cannot_be_read(tmp_path: Path) -> None:
    only_answers = write(tmp_path / "a.jsonl", [{"messages": [{"role": "assistant", "content": "Hi"}]}])
    with pytest.raises(UserMistake, match=r"row 0 \(counted from 0\) cannot be read: no turn of a user"):
        prompts.load([DatasetConfig(only_answers)], [])
    with pytest.raises(UserMistake, match=r"columns: \{question: prompt\}"):
        prompts.load([DatasetConfig(write(tmp_path / "b.jsonl", [{"id": 1, "question": "Hello"}]))], [])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two models that say nonsense, one that scores it, and a judge who always wants the first answer."""
    root = tmp_path_factory.mktemp("models")
    made = [stand_in.make(root / "one", "qwen3"), stand_in.make(root / "two", "llama")]
    return [*map(str, made), _reward_model(root / "scorer"), _partial_judge(root / "judge")]


def _reward_model(folder: Path) -> str:
    from transformers import AutoModelForSequenceClassification

    stand_in.make(folder)
    AutoModelForSequenceClassification.from_pretrained(folder, num_labels=1).save_pretrained(folder)
    return str(folder)


def _partial_judge(folder: Path) -> str:
    """Trained on one battle to say [[A]]: it says so of any."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from hfllm.chat.model import encode_chat

    stand_in.make(folder)
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForCausalLM.from_pretrained(folder)
    model.config.max_position_embeddings = 2048
    reply = tokenizer("[[A]]<|im_end|>", add_special_tokens=False).input_ids
    question = by_model.question(fight("Tom", "Anna"), swapped=False)
    ids = torch.tensor([encode_chat(tokenizer, question) + reply])
    labels = torch.full_like(ids, -100)
    labels[0, -len(reply) :] = ids[0, -len(reply) :]
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(30):
        model(input_ids=ids, labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    model.save_pretrained(folder)
    return str(folder)


def answer(model: str, text: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "assistant", "content": text}], "tokens": 1, "ended": True}


def fight(ours: str, theirs: str, **row: Any) -> Fight:
    prompt = {"prompt": [{"role": "user", "content": "Who?"}]} | row
    return Fight(0, prompt, "x", "y", (answer("x", ours), answer("y", theirs)))


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    return str(tmp_path / "mine.py")


@pytest.fixture
def settings(folders: list[str], mine: str, tmp_path: Path) -> dict[str, Any]:
    rows = [{"prompt": f"Where does {name} live?", "animal": name} for name in ("Tom", "Anna", "Bo", "Cy", "Di")]
    return {
        "models": folders[:2],
        "output_dir": str(tmp_path / "arena"),
        "datasets": [DatasetConfig(write(tmp_path / "rows.jsonl", rows))],
        "judge": f"{mine}:shorter",
        "max_new_tokens": 6,
        "temperature": 2.0,
        "batch_size": 1,
        "bootstrap": 50,
    }


def lines(settings: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return json_lines.read(Path(settings["output_dir"], name))


def test_every_two_models_fight_on_every_prompt(settings: dict[str, Any]) -> None:
    numbers = stage.main(ArenaConfig(**settings))
    one, two = settings["models"]
    assert (numbers["prompts"], numbers["battles"]) == (5, 5)
    assert set(numbers["ratings"]) == {one, two}
    texts = {(row["model"], row["number"]): row["messages"][0]["content"] for row in lines(settings, "answers.jsonl")}
    for row in lines(settings, "battles.jsonl"):
        said = [texts[name, row["number"]] for name in (one, two)]
        assert (row["model_a"], row["model_b"], row["answers"]) == (one, two, said)
        assert row["scores"] == [-len(text) for text in said]
        shorter = "tie" if len(said[0]) == len(said[1]) else "model_a" if len(said[0]) < len(said[1]) else "model_b"
        assert row["winner"] == shorter
    rated = json.loads(Path(settings["output_dir"], "ratings.json").read_text())
    assert rated["players"][0]["rating"] == max(numbers["ratings"].values())
    page = Path(settings["output_dir"], "arena.md").read_text()
    assert f"| {one} |" in page
    assert "judged by" in page


def test_a_run_that_was_cut_off_ends_with_the_same_files(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "BATCHES_AT_ONCE", 2)  # two prompts at a time
    stage.main(ArenaConfig(**settings))
    files = [Path(settings["output_dir"], name) for name in (answers.FILE, fights.FILE, table.RATINGS, table.PAGE)]
    whole = [file.read_bytes() for file in files]
    told = whole[0].split(b"\n")
    files[0].write_bytes(b"\n".join(told[:8]) + b"\n" + told[8][:20])  # all of the first, three of the second model
    files[1].unlink()
    drawn = []
    generate = answers.generate
    monkeypatch.setattr(
        answers, "generate", lambda *args, **options: drawn.append(args[2]) or generate(*args, **options)
    )
    stage.main(ArenaConfig(**settings))
    assert [file.read_bytes() for file in files] == whole
    assert [len(some) for some in drawn] == [2, 1]  # two of the second model were there
    files[1].write_bytes(b"\n".join(whole[1].split(b"\n")[:2]) + b'\n{"num')
    stage.main(ArenaConfig(**settings))
    assert [file.read_bytes() for file in files] == whole
    assert len(drawn) == 2


def test_greedy_answers_to_the_same_prompt_fight_once(settings: dict[str, Any], tmp_path: Path) -> None:
    rows = [{"prompt": text} for text in ("Hello", "Hello", "Bye")]
    settings |= {"datasets": [DatasetConfig(write(tmp_path / "rows.jsonl", rows))]}
    assert stage.main(ArenaConfig(**settings | {"temperature": 0.0}))["prompts"] == 2


def test_a_reward_model_judges(settings: dict[str, Any], folders: list[str]) -> None:
    from hfllm.reward_model import RewardModel

    stage.main(ArenaConfig(**settings | {"judge": folders[2]}))
    model = RewardModel(folders[2])
    for row in lines(settings, "battles.jsonl"):
        conversations = [[*row["prompt"], {"role": "assistant", "content": text}] for text in row["answers"]]
        assert row["scores"] == pytest.approx(model.scores(conversations), abs=1e-4)
        assert row["winner"] == ("model_a" if row["scores"][0] > row["scores"][1] else "model_b")


def test_tasks_judge_their_own_problems(settings: dict[str, Any], mine: str) -> None:
    numbers = stage.main(ArenaConfig(**settings | {"datasets": [], "tasks": [TaskConfig(mine)], "judge": None}))
    assert numbers["battles"] == 3
    assert {row["judge"] for row in lines(settings, "battles.jsonl")} == {stage.SCORE_OF_TASK}


def test_a_judge_who_wants_the_first_answer_gives_ties_and_is_found_out(
    settings: dict[str, Any], folders: list[str]
) -> None:
    settings |= {"judge": folders[3], "judge_max_new_tokens": 8, "batch_size": 8}
    numbers = stage.main(ArenaConfig(**settings))
    assert numbers["ties"] == 1.0
    assert numbers["position"] == {"first": 1.0, "standard_error": 0.0, "choices": 10}
    assert numbers["agreement"] == 0.0
    assert "the answer shown first won 100% of 10 choices" in Path(settings["output_dir"], "arena.md").read_text()


def test_verdicts_of_a_model() -> None:
    assert by_model.chosen("Not [[B]], as one may think. [[A]]") == "first"
    assert [by_model.chosen(text) for text in ("B.", "[[C]]", "Both are good.", "")] == ["second", "tie", None, None]
    assert by_model.chosen("<think>If A is better I write [[A]], else") is None
    assert by_model.chosen("<think>First I thought [[A]].</think> B is right. [[B]]") == "second"
    assert by_model.chosen("<think>[[A]]?</think>\nB") == "second"
    assert by_model.agreed("first", "second") == "model_a"
    assert by_model.agreed("second", "first") == "model_b"
    assert (
        by_model.agreed("tie", "tie") == by_model.agreed("first", "first") == by_model.agreed("tie", "first") == "tie"
    )
    assert by_model.agreed("first", None) is None
    asked = by_model.question(fight("OURS", "THEIRS"), swapped=True)[0]["content"]
    assert asked.index("THEIRS") < asked.index("OURS")
    assert "x" not in asked.partition("[Conversation]")[2].partition("Give your reason")[0]  # no names


def test_thoughts_are_not_shown_to_a_judge() -> None:
    assert answers.said(answer("x", "<think>\nHm.\n</think>\nTom.")).strip() == "Tom."


def test_points_ties_and_margins() -> None:
    def verdict(ours: float | None, theirs: float | None, margin: float = 0.0, text: str = "b") -> Verdict:
        return next(judges._by_points([fight("a", text)], lambda rows, told: [ours, theirs], margin))

    assert verdict(2.0, 1.0) == Verdict("model_a", (2.0, 1.0))
    assert verdict(1.0, 2.0).winner == "model_b"
    assert verdict(1.0, 1.0).winner == verdict(1.0, 1.4, margin=0.5).winner == "tie"
    assert verdict(1.0, 1.0001, text="a").winner == "tie"  # the same words, scored in two batches
    assert verdict(None, 1.0).winner is None


def test_a_person_judges_blindly_and_may_stop(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = fight("OURS", "THEIRS")
    battles = [replace(one, number=number) for number in range(20)]
    typed = iter(["", "both", *["a"] * 17, "t", "x", "B"])
    monkeypatch.setattr("builtins.input", lambda text: next(typed))
    verdicts = list(by_person.judge(seed=0)(battles))
    shown = capsys.readouterr().out
    for verdict in verdicts[:17]:
        assert verdict.winner == {"x": "model_a", "y": "model_b"}[verdict.seen[0]["first"]]
    assert {verdict.seen[0]["first"] for verdict in verdicts} == {"x", "y"}  # the order is drawn
    first_is_x = [verdict.seen[0]["first"] == "x" for verdict in verdicts]
    parts = shown.split("to judge")[1:]
    assert [part.index("OURS") < part.index("THEIRS") for part in parts] == first_is_x
    assert [verdict.winner for verdict in verdicts[17:19]] == ["tie", "both_bad"]
    monkeypatch.setattr("builtins.input", lambda text: "q")
    with pytest.raises(KeyboardInterrupt):
        list(by_person.judge(seed=0)(battles))
    assert [one.winner for one in by_person.judge(seed=0)([fight("same", "same")])] == ["tie"]


def test_what_a_person_judged_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    battles = [replace(fight("1", "2"), number=number) for number in range(3)]
    typed = iter(["a", "q", "b", "t"])
    monkeypatch.setattr("builtins.input", lambda text: next(typed))
    with pytest.raises(KeyboardInterrupt):
        fights.judged(battles, by_person.judge(0), "person", tmp_path)
    assert table.main([str(tmp_path)]) == 0  # the table so far
    rows = fights.judged(battles, by_person.judge(0), "person", tmp_path)
    assert [row["seen"][0]["choice"] for row in rows] == ["first", "second", "tie"]
    assert json_lines.read(tmp_path / fights.FILE) == rows


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": ["a"]}, "a battle needs two models or more"),
        ({"models": ["a", "b", "a"]}, "models: a is there twice"),
        ({"models": ["runs/x/sft", "runs/x/ppo"], "anchor": "runs/x/sf"}, r"did you mean runs/x/sft\?"),
        ({"models": ["runs/no/where", "runs/no/there"]}, "no such folder"),
        ({"datasets": []}, "the recipe needs prompts"),
        ({"judge": None}, "no task judges the prompts of a data set"),
        ({"judge": "nobody.py:f"}, "judge: nobody.py: no such file"),
        ({"judge": "runs/no/judge"}, "no such folder"),
        ({"judge": "person"}, "judge: person needs a terminal"),
        ({"tasks": [TaskConfig("gsm8")]}, r"did you mean gsm8k\?"),
        ({"batch_size": 0, "tie_margin": -1.0}, "batch_size: 0 is too few.*\ntie_margin: -1.0 is below 0"),
        ({"top_p": 2.0}, "top_p 2.0: must be above 0"),
    ],
)
def test_mistakes_are_found_before_any_weight_loads(
    changed: dict[str, Any], message: str, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "load", lambda *args, **options: pytest.fail("a model was loaded"))
    with pytest.raises(UserMistake, match=message):
        stage.main(ArenaConfig(**settings | changed))


def test_a_base_model_and_a_base_judge_are_refused(settings: dict[str, Any], tmp_path: Path) -> None:
    base = str(stand_in.make(tmp_path / "base", template=False))
    with pytest.raises(UserMistake, match=r"models: .*base has not learned to answer"):
        stage.main(ArenaConfig(**settings | {"models": [settings["models"][0], base]}))
    with pytest.raises(UserMistake, match=r"judge: .*base has not learned to answer"):
        stage.main(ArenaConfig(**settings | {"judge": base}))


def test_battles_cut_within_a_character_are_read_up_to_there(tmp_path: Path) -> None:
    battle = {"model_a": "é", "model_b": "b", "winner": "model_a"}
    line = json.dumps(battle, ensure_ascii=False).encode()
    file = tmp_path / "battles.jsonl"
    file.write_bytes(line + b"\n" + line[: line.index("é".encode()) + 1])
    assert fights.read(file) == [battle]


def test_a_function_that_cannot_judge_is_told(settings: dict[str, Any], mine: str) -> None:
    with pytest.raises(UserMistake, match="none of 5 battles could be judged"):
        stage.main(ArenaConfig(**settings | {"judge": f"{mine}:undecided"}))
    Path(settings["output_dir"], fights.FILE).unlink()
    with pytest.raises(UserMistake, match="was asked about 10 answers and gave"):
        stage.main(ArenaConfig(**settings | {"judge": f"{mine}:too_few"}))
    with pytest.raises(UserMistake, match="it gave 'good'; points are numbers, more is better, or None"):
        stage.main(ArenaConfig(**settings | {"judge": f"{mine}:words"}))
    settings["datasets"][0].columns = ["prompt"]
    with pytest.raises(UserMistake, match="reads the column 'animal'; the data has: prompt"):
        stage.main(ArenaConfig(**settings | {"judge": f"{mine}:named"}))


def test_a_file_of_battles_of_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{"model_a": "gpt", "model_b": "bard", "winner": winner} for winner in ("model_a", "tie (bothbad)", "tie")]
    file = tmp_path / "battles.jsonl"
    write(file, rows)
    file.write_text(file.read_text().rstrip("\n"))  # no end of line: their last battle counts too
    assert table.main([str(file)]) == 0
    shown = capsys.readouterr().out
    assert "67%" in shown
    assert "3 battles, 2 of them ties" in shown
    write(file, [{"model_a": "gpt", "model_b": "bard", "winner": "gpt"}])
    with pytest.raises(UserMistake, match="battle 1: a line has model_a, model_b and winner"):
        table.main([str(file)])
    with pytest.raises(UserMistake, match=r"no ratings\.json and no battles\.jsonl there"):
        table.main([str(tmp_path / "nowhere")])


def test_texts_of_models_cannot_leave_their_line_on_the_page() -> None:
    assert plain("# a\n| <b> `c`") == "\\# a \\| \\<b\\> \\`c\\`"
    assert plain("![i](http://evil/a.png)\r# b") == "!\\[i\\](http://evil/a.png) \\# b"
    assert plain("a\\|b &lt; ~~c~~") == "a\\\\\\|b \\&lt; \\~\\~c\\~\\~"
    assert plain("_a_ acc_norm x__y") == "\\_a\\_ acc_norm x\\_\\_y"
    assert plain("abcdef", longest=4) == "abc…"


def test_names_of_models_cannot_leave_their_cell_on_the_page() -> None:
    evil, good = "x|y\n# <b>", "good"
    rows = [
        {"number": 0, "model_a": evil, "model_b": good, "winner": "model_a", "prompt": [{"content": "Who?"}],
         "answers": ["a", "b"], "judge": "![j](k)"},
        {"number": 1, "model_a": good, "model_b": evil, "winner": "model_a", "prompt": [{"content": "Who?"}],
         "answers": ["a", "b"], "judge": "![j](k)"},
    ]  # fmt: skip
    rated = table.result(rows, anchor=evil, bootstrap=0)
    lengths = {"mean_tokens": 1.0, "cut_off": 0.0}
    page = table.page(rated, rows, {evil: lengths, good: lengths})
    assert "x|y" not in page
    assert "<b>" not in page.replace("\\<b\\>", "")
    assert "![" not in page.replace("!\\[", "")
    cells = [line.replace("\\|", "").count("|") for line in page.splitlines() if line.startswith("|")]
    assert cells == [10] * 4 + [4] * 4  # nine columns, and three: each line has one bar more than columns


def test_its_keys_are_checked() -> None:
    schema = keys.schema_of_main(stage.main)
    assert schema["required"] == ["models", "output_dir"]
    assert all(key["description"] for key in schema["properties"].values())
