"""rewards.py: the arithmetic by hand, and what must hold for every reward of the module."""

from __future__ import annotations

import inspect
import math

import pytest

from hfllm import chosen_rewards, rewards


def said(text: str) -> list[dict]:
    return [{"role": "assistant", "content": text}]


def with_tool(*results: str, last: str = "The answer is 72.") -> list[dict]:
    """A call for each result, and the answer."""
    call = {"type": "function", "function": {"name": "calculator", "arguments": {"expression": "8*9"}}}
    turns = [
        message
        for result in results
        for message in (
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "name": "calculator", "content": result},
        )
    ]
    return [*turns, *said(last)]


def test_accuracy_compares_numbers_as_numbers_and_text_as_text():
    completions = ["It is $1,234.00", said("1234 or 1235"), said(" paris. "), "Rome", said("The answer is Paris.")]
    gold = ["1234", 1234, "Paris", "Paris", "Paris"]
    assert rewards.accuracy(completions, answer=gold) == [1.0, 0.0, 1.0, 0.0, 1.0]


def test_accuracy_reads_the_answer_and_not_the_thoughts():
    thought = "<think>Rome? No.</think><answer>Paris</answer>"
    assert rewards.accuracy([thought, "<think>Paris"], answer=["Paris", "Paris"]) == [1.0, 0.0]
    assert rewards.accuracy([r"so \boxed{x+1}"], answer=["x+1"]) == [1.0]


def test_accuracy_cannot_judge_without_an_answer():
    assert rewards.accuracy(["72", "72"], answer=[None, "72"], task=[None, None]) == [None, 1.0]


def test_accuracy_asks_the_task_of_the_row(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        "def load(split, path=None): ...\n"
        "def score(completion, row):\n"
        "    assert row['prompt'][0]['content'] == 'Say ' + row['word'] and 'log_metric' not in row\n"
        "    return float(completion == row['word'])\n"
    )
    prompts = [[{"role": "user", "content": f"Say {word}"}] for word in ("a", "b")]
    paid = rewards.accuracy(
        [said("a"), with_tool("6", last="b")],
        answer=["a", "b"],
        task=["mine.py", "mine.py"],
        word=["a", "b"],
        prompts=prompts,
        trainer_state=object(),
        log_metric=print,
    )
    assert paid == [1.0, 1.0]


def test_number_is_the_last_one_behind_the_thoughts():
    completions = ["72", said("5 and then 72."), "<think>72</think> 73", "<think>72", "none", with_tool("73")]
    assert rewards.number(completions, answer=["72"] * 6) == [1.0, 1.0, 0.0, 0.0, 0.0, 1.0]
    assert rewards.number(["72", "72"], answer=["no number", None]) == [None, None]


@pytest.mark.parametrize(
    ("text", "paid"),
    [
        ("<think>\nsteps\n</think>\n72", 1.0),
        ("  <think>a</think>b", 1.0),
        ("72", 0.0),
        ("", 0.0),
        ("<think></think>72", 0.0),
        ("<think> \n </think>72", 0.0),
        ("<think>steps</think>", 0.0),
        ("<think>steps 72", 0.0),
        ("first <think>steps</think>72", 0.0),
        ("<think>a</think><think>b</think>72", 0.0),
        ("<think>a</think>b</think>72", 0.0),
    ],
)
def test_format_wants_one_thought_and_an_answer(text, paid):
    assert rewards.format([text, said(text)]) == [paid, paid]


def test_format_with_other_tags_and_without_the_first():
    assert rewards.format(["[a]b"], opening="[", closing="]") == [1.0]
    assert rewards.format(["steps</think>72", "</think>72"], opening=None) == [1.0, 0.0]


def test_thoughts_that_the_template_parsed_out_are_thoughts():
    message = {"role": "assistant", "reasoning_content": "steps", "content": "72"}
    assert rewards.format([[message]]) == [1.0]
    assert rewards.number([[message]], answer=["72"]) == [1.0]


@pytest.mark.parametrize(
    ("text", "paid"),
    [
        ("<think>a</think><answer>b</answer>", 1.0),
        ("<think>a</think>b", 0.5),
        ("<think><think>a</think><answer>b</answer>", 0.75),  # one of them twice
        ("</think>a<think><answer>b</answer>", 0.75),  # </think> stands before <think>
        ("a", 0.0),
    ],
)
def test_tags_in_their_order(text, paid):
    assert rewards.tags([said(text)]) == [paid]


def test_length_is_linear_and_clamped():
    ids = [[], [1] * 5, [1] * 10, [1] * 1000]
    assert rewards.length(["x"] * 4, completion_ids=ids, target_tokens=10) == [0.0, 0.5, 1.0, 1.0]
    paid = rewards.length(
        ["72", "73", "72"], completion_ids=ids[1:], target_tokens=10, only_correct=True, answer=["72", "72", None]
    )
    assert paid == [0.5, 0.0, None]


def test_cosine_falls_for_right_and_rises_for_wrong_answers():
    ids = [[], [1] * 50, [1] * 100, [1] * 900]
    right = rewards.cosine(["72"] * 4, answer=["72"] * 4, completion_ids=ids, max_tokens=100)
    wrong = rewards.cosine(["73"] * 4, answer=["72"] * 4, completion_ids=ids, max_tokens=100)
    # half way the cosine is 0: the middle of 1 and .5, of -1 and -.5; a quarter of the way .5 + .5 * (1 + cos 45) / 2
    assert right == pytest.approx([1.0, 0.75, 0.5, 0.5])
    assert wrong == pytest.approx([-1.0, -0.75, -0.5, -0.5])
    quarter = rewards.cosine(["72"], answer=["72"], completion_ids=[[1] * 25], max_tokens=100)
    assert quarter == pytest.approx([0.5 + 0.25 * (1 + math.sqrt(0.5))])
    assert rewards.cosine(["72"], answer=[None], completion_ids=[[1]], max_tokens=100) == [None]


def test_repetition_counts_ngrams_that_stood_there_before():
    # (1,2) (2,3) (3,4): all new.  (5,5) four times: three of four are old
    ids = [[1, 2, 3, 4], [5, 5, 5, 5, 5], [1], []]
    assert rewards.repetition(["x"] * 4, completion_ids=ids, ngram_size=2) == [0.0, -0.75, 0.0, 0.0]


def test_repetition_sees_loops_without_spaces_and_leaves_prose_alone():
    chinese = "天气很好，我们一起去公园散步，然后在湖边的小店里喝了一杯热茶。"
    loop, prose = rewards.repetition(["我喜欢你。" * 40, chinese])
    assert loop < -0.9
    assert prose == 0.0


def test_overlong_is_dapos_equation_13():
    # 100 tokens, a buffer of 20: free up to 80, (80 - 90) / 20 = -.5 at 90, -1 at 100 and beyond
    ids = [[1] * tokens for tokens in (0, 80, 90, 100, 500)]
    paid = rewards.overlong(["x"] * 5, completion_ids=ids, max_tokens=100, buffer_tokens=20)
    assert paid == [0.0, 0.0, -0.5, -1.0, -1.0]
    assert rewards.overlong(["x"] * 2, completion_ids=[[1] * 10, [1] * 11], max_tokens=10, buffer_tokens=0) == [0, -1]


def test_tool_use_is_the_share_of_calls_without_an_error():
    completions = [
        with_tool("72"),
        with_tool("error: division by zero", "72"),
        with_tool("{'error': 'no such tool'}"),
        with_tool("72")[:1],  # no room was left for the result
        said("72"),
        "72",
    ]
    assert rewards.tool_use(completions) == [1.0, 0.5, 0.0, 0.0, 0.0, 0.0]
    assert rewards.tool_use([with_tool("1", "2"), with_tool("1")], max_calls=1) == [0.0, 1.0]


def test_python_tests_run_asserts_and_compare_whole_outputs():
    add = "Here it is:\n```python\ndef add(a, b):\n    return a + b\n```\n"
    asserts = ["assert add(1, 2) == 3", "assert add(0, 0) == 0"]
    assert rewards.python_tests(
        [add, add, said(add.replace("+", "-")), "", add],
        tests=[asserts, "assert add(1, 2) == 3", asserts, asserts, None],
    ) == [1.0, 1.0, 0.0, 0.0, None]
    echo, first_line = "while True:\n    print(input())", "print(input())"
    echo = "import sys\nprint(sys.stdin.read())"
    both = [{"input": "a\nb", "output": "a\nb\n"}, {"input": "c", "output": "c"}]
    assert rewards.python_tests([echo, first_line, "1/0"], tests=[both] * 3) == [1.0, 0.0, 0.0]


OPTIONS = {
    "length": {"target_tokens": 50},
    "cosine": {"max_tokens": 50},
    "overlong": {"max_tokens": 50, "buffer_tokens": 9},
    "matches": {"pattern": "=", "weight": 0.5},
}
LOOPS = ["I think so. ", "我喜欢你。", "أعتقد. ", "मुझे लगता है। ", "😀", "かもしれない", "Я думаю. ", "ฉันคิดว่า"]
ODD = ["", "\0", "\ud800 \udfff", "\\boxed{" * 1000, "<think>" * 1000, "```python\n\ud800\0\n```", "x" * 1_000_000]


def bound(name: str) -> chosen_rewards.Reward:
    return chosen_rewards.find({name: OPTIONS.get(name)})[0]


def paid_for(reward: chosen_rewards.Reward, texts: list[str]) -> list[float | None]:
    columns = {"answer": ["72"] * len(texts), "tests": ["assert add(1, 2) == 3"] * len(texts)}
    conversations = [said(text) for text in texts]
    ids = [list(text.encode("utf-8", "replace")) for text in texts]
    return reward.function(
        prompts=conversations, completions=conversations, completion_ids=ids, trainer_state=None, **columns
    )


@pytest.mark.parametrize("name", chosen_rewards.names())
def test_every_reward_gives_one_number_a_completion_whatever_the_text(name):
    paid = paid_for(bound(name), ODD)
    assert len(paid) == len(ODD)
    assert all(value is None or math.isfinite(value) for value in paid)
    assert paid_for(bound(name), []) == []
    nobody = bound(name).function(completions=[[]], completion_ids=[[]], answer=["72"], tests=["assert True"])
    assert len(nobody) == 1


@pytest.mark.parametrize("name", sorted(set(chosen_rewards.names()) - {"length"}))
def test_no_reward_but_length_pays_for_a_loop(name):
    assert all(value <= 0 for value in paid_for(bound(name), [unit * 200 for unit in LOOPS]))


def test_repetition_punishes_a_loop_in_every_script():
    texts = [unit * 200 for unit in LOOPS]
    assert all(value < -0.5 for value in paid_for(bound("repetition"), texts))
    assert all(value < -0.5 for value in rewards.repetition(texts))


def test_every_reward_is_documented_and_takes_every_column():
    for name in chosen_rewards.names():
        function = vars(rewards)[name]
        assert function.__doc__, name
        assert inspect.signature(function).parameters["columns"].kind is inspect.Parameter.VAR_KEYWORD
    assert {"accuracy", "number", "format", "tags", "length", "cosine", "repetition"} < set(chosen_rewards.names())
