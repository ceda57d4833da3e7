"""The stage evaluate: how a model is asked, what is counted of its answers, how sure that is, and resuming."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import stand_in
import yaml

from hfllm import keys
from hfllm.chat.model import encode_chat, load
from hfllm.chat.sampling import Sampling
from hfllm.errors import UserMistake
from hfllm.evaluating import answering, bootstrap, choices, measures, probes, tables
from hfllm.evaluating.answering import Said, Speaker
from hfllm.likelihood import log_likelihoods
from hfllm.stages import evaluate
from hfllm.stages.evaluate import EvaluateConfig
from hfllm.tasks import TaskConfig


def said(text: str) -> Said:
    """Words for tokens."""
    return Said(text, True, lambda words: [hash(word) for word in words.split()])


def rows_file(file: Path, rows: list[dict[str, Any]]) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(file)


PEOPLE = [
    {"question": "Where does Ada live?", "answer": "Brunn", "subject": "Ada", "popularity": "rare"},
    {"question": "Where does Ben live?", "answer": "Lund", "subject": "Ben", "popularity": "once"},
    {"question": "Where does Cleo live?", "answer": "Oslo", "subject": "Cleo", "popularity": "once"},
]
PATH = "the folder of PEOPLE"
SCIENCE = [
    {"question": "What flies?", "choices": {"text": ["a cat", "owl", "stone"], "label": list("ABC")}, "answerKey": "B"},
    {"question": "Which is hot?", "choices": {"text": ["the snow", "fire"], "label": ["1", "2"]}, "answerKey": "2"},
    {"question": "What falls?", "choices": {"text": ["rain", "a moon"], "label": list("AB")}, "answerKey": "A"},
]  # fmt: skip


@pytest.fixture(scope="module")
def chat(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(stand_in.make(tmp_path_factory.mktemp("chat") / "model"))


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(stand_in.make(tmp_path_factory.mktemp("base") / "model", shape="llama", template=False))


def test_an_interval_by_hand() -> None:
    # 400 questions, half of them right: standard error .5 / sqrt(400) = .025, times 1.96 = .049
    estimate = bootstrap.interval([0.0, 1.0] * 200)
    assert (estimate.value, estimate.questions) == (0.5, 400)
    assert estimate.low == pytest.approx(0.451, abs=0.006)
    assert estimate.high == pytest.approx(0.549, abs=0.006)


def test_an_interval_is_the_same_for_the_same_seed_and_a_point_where_all_agree() -> None:
    values = [0.0, 0.25, 1.0, 0.5, 0.125]
    assert bootstrap.interval(values, seed=1) == bootstrap.interval(values, seed=1)
    assert bootstrap.interval([1.0] * 7) == (1.0, 1.0, 1.0, 7)
    with pytest.raises(ValueError, match="no values"):
        bootstrap.interval([])


def test_a_text_is_continued_as_the_tokenizer_begins_it(chat: str) -> None:
    talker = load(chat, base=False)
    plain = answering.continuing(talker.tokenizer)
    for text in ("Tom lives", "{{ messages }} {% if %}", " a\n", "<|im_end|>"):
        ids = encode_chat(plain, [{"role": "user", "content": text}])
        assert ids == talker.tokenizer(text, split_special_tokens=True).input_ids
    assert talker.tokenizer.chat_template != plain.chat_template


def test_answers_come_in_the_order_of_the_prompts_whatever_they_are(chat: str) -> None:
    speaker = Speaker(load(chat, base=False), "Question: {prompt}\nAnswer:", batch_size=2)
    asked = [{"role": "user", "content": "Who?"}]
    mixed = speaker.say(["Tom lives", asked, "Anna has"], Sampling(0), 6)
    alone = [speaker.say([prompt], Sampling(0), 6)[0] for prompt in ("Tom lives", asked, "Anna has")]
    assert [one.text for one in mixed] == [one.text for one in alone]
    assert speaker.say([], Sampling(0), 6) == []


def test_a_base_model_is_asked_in_the_recipe_s_words_and_cut_where_it_asks_itself(base: str) -> None:
    speaker = Speaker(load(base, base=False), "Question: {prompt}\nAnswer:", batch_size=2)
    prompt = [{"role": "user", "content": "Who has {prompt}?"}]
    assert speaker._messages(prompt)[0]["content"] == "Question: Who has {prompt}?\nAnswer:"
    assert speaker._cut(" Tom.\nHe has.\nQuestion: And Ada?\nAnswer: no", prompt) == "Tom.\nHe has."
    assert speaker._cut(" Tom.\n\nA story", prompt) == "Tom."
    assert speaker._cut(" Tom.\n\nA story", "a text to go on with") == " Tom.\n\nA story"


def test_choices_by_hand() -> None:
    row = {"continuations": [" a", " abcd"], "answer": "A"}
    # the whole: -2 > -3, so A; per character -2 / 1 < -3 / 4, so B
    assert choices._judged(row, [-2.0, -3.0]) == (" a", 1.0, 0.0, [-2.0, -3.0])


def test_choices_are_those_of_the_log_likelihoods(chat: str, tmp_path: Path) -> None:
    talker = load(chat, base=True)
    path = rows_file(tmp_path / "arc" / "test.jsonl", SCIENCE)
    [measure] = measures.of_recipe([TaskConfig("arc", path=path, split="test")], {}, by_likelihood=True)
    found = choices.judged(talker.model, talker.tokenizer, measure.rows, 2)
    for row, one in zip(measure.rows, found, strict=True):
        pairs = [(row["context"], text) for text in row["continuations"]]
        logps = [each.logp for each in log_likelihoods(talker.model, talker.tokenizer, pairs)]
        assert one.logps == pytest.approx(logps, abs=1e-4)
        assert one.acc == float(logps.index(max(logps)) == "AB".index(row["answer"]))


def line(group: str, question: str, **values: float) -> dict[str, Any]:
    return {"group": group, "question": question, "measures": values}


def test_results_by_hand() -> None:
    lines = [line("open", "1", right=1.0), line("open", "2", right=1.0), line("closed", "1", right=0.0)]
    lines += [line("closed", "2", right=1.0), line("closed", "3", right=0.0), line("closed", "4")]
    found = measures.results("book", lines, ("right", "open", "closed"), seed=0)
    values = [(row["group"], row["metric"], row["value"], row["questions"]) for row in found]
    # closed: 1 of 3, the fourth could not be judged; pairs (1, 0) and (1, 1): (1 + 0) / 2
    assert values == [("open", "right", 1.0, 2), ("closed", "right", 1 / 3, 3), ("open - closed", "right", 0.5, 2)]


def test_drawn_answers_give_pass_at_k() -> None:
    measure = measures.Measure("m", [], lambda one, row: {"right": float(one.text == "7")}, sampled=True)
    judged = measure._judged({"answer": "7"}, "3+4=", said("8"), [said("7"), said("1"), said("7"), said("2")])
    assert judged["measures"] == {"right": 0.0, "pass@1": 0.5, "pass@4": 1.0}
    assert judged["answers"] == ["8", "7", "1", "7", "2"]
    assert (judged["prompt"], judged["expected"]) == ("3+4=", "7")


def test_a_task_twice_is_told_apart_by_its_options() -> None:
    sums, shop = (TaskConfig("arithmetic", options={"kinds": [kind]}) for kind in ("sum", "shop"))
    assert measures.task_names([sums, TaskConfig("gsm8k"), shop]) == ["arithmetic sum", "gsm8k", "arithmetic shop"]
    with pytest.raises(UserMistake, match="arithmetic sum stands there twice"):
        measures.task_names([sums, sums])


@pytest.fixture
def people(tmp_path: Path) -> str:
    return str(Path(rows_file(tmp_path / "questions" / "test.jsonl", PEOPLE)).parent)


def test_all_but_a_refusal_is_made_up() -> None:
    rows = probes.load("hallucination", {"names": 3})
    assert len(rows) == 12
    module = probes.find("hallucination", {})
    assert module.judge(said("She is a famous baker."), rows[0]) == {"made_up": 1.0}
    assert module.judge(said("I don't know who that is."), rows[0]) == {"made_up": 0.0}


def test_known_facts_are_right_wrong_or_refused(people: str) -> None:
    options = {"path": people, "where": {"popularity": ["rare"]}, "by": "popularity"}
    [row] = probes.load("known_facts", options)
    module = probes.find("known_facts", options)
    assert row["group"] == "rare"
    for text, wanted in (("In Brunn.", "right"), ("In Oslo.", "wrong"), ("I do not know.", "refused")):
        assert [name for name, value in module.judge(said(text), row).items() if value] == [wanted]


def test_the_open_book_is_a_document_about_the_subject_that_has_the_answer(people: str, tmp_path: Path) -> None:
    texts = [("Ada bakes.", "Ada"), ("Ada lives in Brunn.", "Ada"), ("Ben lives in Lund.", "Ben"), ("Oslo", "Ada")]
    documents = rows_file(
        tmp_path / "documents" / "train.jsonl", [{"text": text, "subject": name} for text, name in texts]
    )
    rows = probes.load("open_book", {"path": people, "documents_path": documents})
    assert [(row["question"][11:14], row["group"]) for row in rows] == [
        *[("Ada", "closed"), ("Ada", "open"), ("Ben", "closed"), ("Ben", "open")]  # no text tells where Cleo lives
    ]
    assert rows[1]["prompt"][0]["content"] == "Read: Ada lives in Brunn.\nQuestion: Where does Ada live?"


def test_steps_and_answer_come_first_for_the_same_problem(tmp_path: Path) -> None:
    problem = {"prompt": [{"role": "user", "content": "3+4?"}], "answer": "7", "solution": "7", "kind": "sum"}
    path = rows_file(tmp_path / "problems" / "test.jsonl", [problem])
    options = {
        "task": "arithmetic",
        "path": path,
        "steps_first": "{question} Slowly.",
        "answer_first": "{question} Fast.",
    }
    rows = probes.load("steps", options)
    assert [row["prompt"][0]["content"] for row in rows] == ["3+4? Fast.", "3+4? Slowly."]
    assert probes.find("steps", options).judge(said("3+4 is 7."), rows[0]) == {"right": 1.0}


def test_recitation_counts_the_longest_run(tmp_path: Path) -> None:
    texts = [{"text": "one two\nthree four five six", "kind": "song"}] * 2 + [{"text": "too short", "kind": "song"}]
    options = {"path": rows_file(tmp_path / "train.jsonl", texts), "prompt_words": 2, "most_words": 3}
    [row] = probes.load("recitation", options)
    assert (row["prompt"], row["rest"]) == ("one two", "\nthree four five")
    judged = probes.find("recitation", options).judge
    assert judged(said("three four five and on"), row) == {"exact": 1.0, "longest_run": 1.0, "longest_run_tokens": 3.0}
    assert judged(said("well four five"), row) == {"exact": 0.0, "longest_run": 2 / 3, "longest_run_tokens": 2.0}


def test_few_shots_stand_before_the_asked_word_and_never_hold_it(tmp_path: Path) -> None:
    words = {"tree": "drasnor", "cat": "kondrel", "house": "soslur"}
    (tmp_path / "truth.json").write_text(json.dumps({"language": words}))
    options = {"path": str(tmp_path / "truth.json"), "shots": [0, 2], "relations": ["language"]}
    rows = probes.load("few_shot", options)
    assert [row["prompt"] for row in rows[:3]] == ["tree :", "cat :", "house :"]
    assert sorted(rows[3]["prompt"].split("\n")[:2]) == ["cat : kondrel", "house : soslur"]
    judged = probes.find("few_shot", options).judge
    assert judged(said(" drasnor\ncat : kondrel"), rows[3]) == {"right": 1.0}
    assert judged(said(" drasnors"), rows[3]) == {"right": 0.0}


def test_identity_asks_for_words_and_forbids_claims(tmp_path: Path) -> None:
    (tmp_path / "me.yaml").write_text(
        yaml.safe_dump([{"question": "Are you ChatGPT?", "must_say": ["Pip"], "is_not": ["ChatGPT"]}])
    )
    options = {"path": str(tmp_path / "me.yaml")}
    [row] = probes.load("identity", options)
    judged = probes.find("identity", options).judge
    texts = ("No, I am Pip.", "I am not ChatGPT, I am Pip.", "Yes, I am ChatGPT.", "Pip is ChatGPT.")
    assert [judged(said(text), row)["right"] for text in texts] == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (
            "- {question: Who, must_say: Pip}",
            {},
            r'question 1: must_say is no list of words: .*write  must_say: \["Pip"\]',
        ),
        ("- {question: Who, must_say: [0.1]}", {}, r'write  must_say: \["0.1"\]'),
        ("- {question: Who, must_say: [Pip], is_not: ['']}", {}, "is_not is no list of words"),
        ("- {question: Who, must_say: [Pip]}\n- {question: Who}", {}, "question 2 has neither must_say nor is_not"),
        ("- {question: Who, must_say: [Pip]}", {"by": "kind"}, "question 1 has no kind, which  by:"),
        ("- {question: 5, must_say: [Pip]}", {}, "question is no text: 5"),
        ("- {must_say: [Pip]}", {}, "this probe reads question"),
        ("- {messages: Who, must_say: [Pip]}", {}, "messages is no list of messages"),
        ("- {messages: [{role: assistant, content: Hi}], must_say: [Pip]}", {}, "messages asks nothing"),
        ("- {question: Who?", {}, "me.yaml: not YAML: "),
        ("question: Who?", {}, "write a list of questions"),
        ("- {question: Who, must_say: [Pip]}", {"split": "test"}, "split and where choose rows of a data set"),
        ("- {question: Who, must_say: [Pip]}", {"where": {"kind": "name"}}, "split and where choose rows"),
        ("- {question: Who, must_say: [Pip]}", {"rows": -1}, "rows: -1 is no number of rows; write 1 or more"),
    ],
)
def test_mistakes_in_one_s_own_questions_of_identity(
    text: str, options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    (tmp_path / "me.yaml").write_text(text)
    with pytest.raises(UserMistake, match=message):
        probes.load("identity", {"path": str(tmp_path / "me.yaml"), **options})


def test_identity_checks_the_words_of_a_data_set_too(tmp_path: Path) -> None:
    path = rows_file(tmp_path / "test.jsonl", [{"question": "Who?", "must_say": "Pip"}])
    with pytest.raises(UserMistake, match=r"must_say is no list of words: 'Pip'"):
        probes.load("identity", {"path": path})


def test_hallucination_asks_as_many_rows_as_it_is_told(people: str) -> None:
    assert len(probes.load("hallucination", {"rows": 10})) == 10
    assert len(probes.load("hallucination", {"rows": 2, "path": people})) == 2
    assert len(probes.load("hallucination", {})) == 200


def test_refusals_are_counted_by_what_can_be_answered_and_a_probe_may_stand_there_twice(tmp_path: Path) -> None:
    asked = [{"prompt": "Will it rain in a year?", "answerable": False}, {"prompt": "1 + 1?", "answerable": True}]
    options = {"path": rows_file(tmp_path / "test.jsonl", asked), "by": "answerable", "column": "prompt"}
    rows = probes.load("refusals-mine", options)
    assert [(row["prompt"][0]["content"], row["group"]) for row in rows] == [
        ("Will it rain in a year?", "answerable: False"),
        ("1 + 1?", "answerable: True"),
    ]
    judged = probes.find("refusals", options).judge
    assert judged(said("Nobody knows."), rows[0]) == {"refused": 1.0}
    assert judged(said("It is 2."), rows[1]) == {"refused": 0.0}
    measure = measures.probe("refusals-mine", options)
    assert measure.name == "refusals-mine"


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("hallucinations", {}, r"no such probe; did you mean hallucination\?"),
        ("hallucination", {"name_count": 3}, "no such option: name_count"),
        ("open_book", {}, "missing a required argument: 'path'; write  open_book: {path: ...}"),
        ("recitation", {"path": "runs/nowhere.jsonl"}, "there is no file or folder"),
        ("recitation", {"path": PATH, "split": "test"}, "has the columns question, .*; this probe reads text"),
        ("known_facts", {"path": PATH, "where": {"popularty": 1}}, "`where` names popularty"),
        ("known_facts", {"path": PATH, "where": {"popularity": "never"}}, "no row has"),
        ("known_facts", {"path": PATH, "by": "kind"}, "this probe reads kind"),
        ("identity", {"path": PATH}, "has neither must_say nor is_not"),
        ("few_shot", {"path": PATH}, "this probe reads source, target"),
        ("open_book", {"path": PATH}, "its options leave no question"),
        (
            "hallucination",
            {"where": {"popularity": "never"}, "rows": 3},
            "where: belongs to a data set; write its  path:",
        ),
        ("hallucination", {"split": "train", "name": "x"}, "split, name: belongs to a data set"),
        ("hallucination", {"path": PATH, "names": 3}, "names: is for invented people"),
        ("hallucination", {"rows": 0}, "rows: 0 is no number of rows"),
        ("known_facts", {"path": PATH, "rows": -1}, "rows: -1 is no number of rows; write 1 or more"),
    ],
)
def test_mistakes_in_probes(name: str, options: dict[str, Any], message: str, people: str) -> None:
    given = options | ({"path": people} if options.get("path") is PATH else {})
    with pytest.raises(UserMistake, match=message):
        probes.load(name, given)


OWN_PROBE = """
def load(words=()):
    return [{"prompt": word, "group": word[:1]} for word in words]

def judge(said, row):
    return {"long_tokens": float(len(said.tokens(said.text)))}
"""


def own(file: Path, load: str, judge: str = "return {'right': 1.0}", options: str = "**options") -> str:
    file.write_text(f"def load({options}):\n    {load}\n\ndef judge(said, row):\n    {judge}\n")
    return str(file)


def test_a_probe_of_one_s_own_may_take_any_option(tmp_path: Path) -> None:
    path = own(tmp_path / "any.py", "return [{'prompt': 'a', **options}]")
    assert probes.load(path, {"rows": 3, "group": "g"}) == [{"prompt": "a", "rows": 3, "group": "g"}]
    path = own(tmp_path / "needs.py", "return []", options="words, **options")
    with pytest.raises(UserMistake, match=r"missing a required argument: 'words'; write  .*needs.py: {words: ...}"):
        probes.load(path, {"rows": 3})


@pytest.mark.parametrize(
    ("load", "message"),
    [
        ("return [{'prompt': 'a'}, {'question': 'b'}]", "row 2 has no prompt, messages or a text: {'question': 'b'}"),
        ("return [{'prompt': []}]", "row 1 has no prompt"),
        ("return [{'prompt': 5}]", "row 1 has no prompt"),
        ("return 'abc'", "load must return a list of rows; it returned str"),
        ("return ['abc']", "load must return a list of rows"),
        ("return options['words']", r"probe .*mine.py: load raised KeyError: 'words' \(mine.py line 2\)"),
    ],
)
def test_mistakes_in_loading_a_probe_of_one_s_own(load: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match=message):
        probes.load(own(tmp_path / "mine.py", load), {})


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        ("return {'right': 1 / 0}", r"probe .*mine.py: judge raised ZeroDivisionError: .* \(mine.py line 5\)"),
        ("return 1.0", "judge must return shares by name, such as  {'right': 1.0}; it returned 1.0"),
    ],
)
def test_mistakes_in_judging_with_a_probe_of_one_s_own(judge: str, message: str, tmp_path: Path) -> None:
    measure = measures.probe(own(tmp_path / "mine.py", "return [{'prompt': 'a'}]", judge), {})
    assert measure.judge is not None
    with pytest.raises(UserMistake, match=message):
        measure.judge(said("b"), measure.rows[0])


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"choices": ["Paris", "Rome"], "answer": "B"}, "Rome"),
        ({"choices": ["Paris", "Rome"], "answer": "Paris"}, "Paris"),
        ({"choices": ["Paris", "Rome"], "answer": "C"}, "C"),
        ({"choices": ["Paris", "Rome"], "answer": "AB"}, "AB"),
        ({"choices": {"text": ["Paris", "Rome"]}, "answer": "A"}, "A"),
        ({"choices": None, "answer": ["7"]}, ["7"]),
        ({"answer": "7", "expected": "seven"}, "seven"),
        ({}, ""),
    ],
)
def test_what_was_expected_is_the_choice_of_a_letter_or_the_answer(row: dict[str, Any], expected: object) -> None:
    assert measures._line(row, ["x"], {}, "?")["expected"] == expected


@pytest.fixture
def settings(chat: str, base: str, tmp_path: Path) -> EvaluateConfig:
    (tmp_path / "length.py").write_text(OWN_PROBE)
    prompts = [[{"role": "user", "content": f"{n}+1?"}] for n in range(7)]
    problems = [{"prompt": one, "answer": "3", "solution": "", "kind": "sum"} for one in prompts]
    return EvaluateConfig(
        output_dir=str(tmp_path / "out"),
        models=[base, chat],
        tasks=[
            TaskConfig("arithmetic", path=rows_file(tmp_path / "problems" / "test.jsonl", problems), split="test"),
            TaskConfig("arc", path=rows_file(tmp_path / "arc" / "test.jsonl", SCIENCE), split="test"),
        ],
        probes={str(tmp_path / "length.py"): {"words": ["Tom lives", "Anna"]}},
        samples=2,
        temperature=1.5,
        max_new_tokens=5,
        batch_size=3,
    )


def files(folder: str) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(Path(folder).rglob("*.*"))}


def test_what_it_writes(settings: EvaluateConfig, base: str, chat: str) -> None:
    numbers = evaluate.main(settings)
    assert list(numbers) == [base, chat]
    assert set(numbers[chat]) == {"arithmetic", "arc", "length"}
    assert set(numbers[chat]["arithmetic"]) == {"right", "pass@1", "pass@2"}
    assert set(numbers[base]["arc"]) == {"acc", "acc_norm"}
    assert set(numbers[base]["length"]) == {"T", "A"}
    written = json.loads(Path(settings.output_dir, "results.json").read_text())
    assert written["models"] == [base, chat]
    assert {(row["low"] <= row["value"] <= row["high"]) for row in written["results"]} == {True}
    table = Path(settings.output_dir, "results.md").read_text()
    assert f"| {base} | {chat} |" in table
    assert "| arc |  | acc | 3 |" in table
    samples = Path(settings.output_dir, "samples.jsonl").read_text().splitlines()
    assert set(json.loads(samples[0])["answers"]) == {base, chat}
    assert "## length" in Path(settings.output_dir, "samples.md").read_text()


def test_a_run_that_was_cut_off_ends_with_the_same_files(
    settings: EvaluateConfig, chat: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "BATCHES_AT_ONCE", 2)  # of three answers each: two problems at a time
    evaluate.main(settings)
    whole = files(settings.output_dir)
    file = Path(settings.output_dir, "answers", evaluate.slug(chat), "arithmetic.jsonl")
    text = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join(text[:3]) + b"\n" + text[3][:9])
    loaded = []
    ask = measures.Measure.ask
    monkeypatch.setattr(measures.Measure, "ask", lambda self, *rest: loaded.append(len(rest[1])) or ask(self, *rest))
    evaluate.main(settings)
    assert files(settings.output_dir) == whole
    assert loaded == [2, 2, 1]  # behind the first two of seven problems


def test_a_finished_one_loads_no_model(settings: EvaluateConfig, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate.main(settings)
    loaded: list[str] = []
    monkeypatch.setattr(evaluate, "load", lambda name, base: loaded.append(name))
    evaluate.main(settings)
    assert loaded == []


def test_choices_may_be_asked_for_by_letter(settings: EvaluateConfig, chat: str) -> None:
    settings.models, settings.multiple_choice, settings.samples = [chat], "answer", 0
    assert set(evaluate.main(settings)[chat]["arc"]) == {"right"}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": []}, "needs  models:  or  model_name_or_path:"),
        ({"model_name_or_path": "x"}, "and not both"),
        ({"models": ["runs/nowhere/x"]}, "no such folder"),
        ({"tasks": [TaskConfig("gsm8")]}, r"no such task; did you mean gsm8k\?"),
        ({"probes": {"idenity": {}}}, r"no such probe; did you mean identity\?"),
        ({"samples": -1}, "samples: -1 is too few"),
        ({"temperature": 0.0}, "temperature: 0 gives the same answer each time"),
        ({"base_prompt": "Q:"}, r"base_prompt: has no \{prompt\}"),
        ({"tasks": [], "probes": {}}, "the recipe asks nothing"),
    ],
)
def test_mistakes_are_found_before_anything_loads(
    changed: dict[str, Any], message: str, settings: EvaluateConfig
) -> None:
    for key, value in changed.items():
        setattr(settings, key, value)
    with pytest.raises(UserMistake, match=message):
        evaluate.main(settings)


def test_a_model_twice_is_told(settings: EvaluateConfig, chat: str) -> None:
    settings.models = [chat, chat + "/"]
    with pytest.raises(UserMistake, match="stands there twice"):
        evaluate.main(settings)


def test_cells() -> None:
    row = {"metric": "right", "value": 0.5, "low": 0.4, "high": 0.625}
    assert tables.cell(row) == "50.0 % [40.0, 62.5]"
    assert (
        tables.cell(row | {"metric": "longest_run_tokens", "value": 3.0, "low": 2.0, "high": 4.0}) == "3.0 [2.0, 4.0]"
    )
    assert tables.cell(row | {"low": None}) == "50.0 %"
    assert tables.cell(None) == ""


EVIL = "a|b\nc\r# d ![i](http://evil/a.png) <b> e\\|"


def assert_is_no_markup(page: str, bars: set[int]) -> None:
    """Each line of a table has one bar more than columns, and nothing of EVIL is left alive."""
    assert "\r" not in page
    bare = page.replace("\\\\", "")
    assert {line.replace("\\|", "").count("|") for line in bare.splitlines() if line.startswith("|")} == bars
    for markup in ("![", "<b>"):
        assert markup not in page
    assert not [line for line in page.splitlines() if line.startswith(("c", "# d"))]


def test_groups_metrics_and_models_cannot_tear_the_table_of_results() -> None:
    row = {"measure": EVIL, "group": EVIL, "metric": EVIL, "model": EVIL}
    page = tables.results([row | {"value": 0.5, "low": None, "questions": 4}], [EVIL])
    assert_is_no_markup(page, {6})
    assert tables.results([line("g", "q") | {"measure": "arc", "metric": "acc_norm", "model": "m", "value": 0.5,
                                             "low": None, "questions": 4}], ["m"]).endswith(
        "| arc | g | acc_norm | 4 | 50.0 % |\n"
    )  # fmt: skip


def test_answers_cannot_tear_the_table_of_samples() -> None:
    shown = {"measure": EVIL, "prompt": EVIL, "expected": EVIL, "answers": {EVIL: EVIL}, "measures": {}}
    page = tables.samples([shown], [EVIL])
    assert_is_no_markup(page, {4})
    assert len([line for line in page.splitlines() if line.startswith("#")]) == 2  # the page's and the measure's
    assert " a\\|b ⏎ c ⏎ \\# d " in page


def test_its_keys_are_checked() -> None:
    schema = keys.schema_of_main(evaluate.main)
    assert schema["required"] == ["output_dir"]
    assert schema["properties"]["multiple_choice"]["enum"] == ["likelihood", "answer"]
    assert all(key["description"] for key in schema["properties"].values())


@pytest.mark.slow
def test_lm_eval_judges_as_we_do(settings: EvaluateConfig, chat: str, tmp_path: Path) -> None:
    pytest.importorskip("lm_eval")
    definition = {
        "task": "science",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": settings.tasks[1].path}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "{{choices.text}}",
        "doc_to_target": "{{choices.label.index(answerKey)}}",
        "metric_list": [{"metric": metric, "aggregation": "mean"} for metric in ("acc", "acc_norm")],
    }
    (tmp_path / "science.yaml").write_text(yaml.safe_dump(definition))
    settings.models, settings.tasks, settings.probes = [chat], settings.tasks[1:], {}
    settings.lm_eval = [str(tmp_path / "science.yaml")]
    numbers = evaluate.main(settings)[chat]
    assert numbers["lm-eval science"] == numbers["arc"]
    settings.lm_eval = ["hellswag"]
    with pytest.raises(UserMistake, match=r"lm-eval has no such task; did you mean .*hellaswag"):
        evaluate.main(settings)
