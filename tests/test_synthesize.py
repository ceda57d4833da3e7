"""The stage synthesize: against a server on this machine that fails in every usual way, and with a small model."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import stand_in

from hfllm import conversations, data, keys
from hfllm.data import DatasetConfig
from hfllm.errors import UserMistake
from hfllm.stages import synthesize
from hfllm.synthesis import dialogue, endpoint, making, quality, review
from hfllm.synthesis.config import SynthesisConfig
from hfllm.synthesis.dialogue import Draft, Reply, Seed
from hfllm.synthesis.endpoint import Endpoint, Pace

KEY = "sk-secret-17"
Failure = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request to /v1/chat/completions."""

    server: Server
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.asked.append({"path": self.path, "key": self.headers.get("Authorization"), **body})
            failure = self.server.failures.pop(0) if self.server.failures else None
        if failure:
            return failure(self)
        refused = self.server.refuses
        if refused and any(refused in message["content"] for message in body["messages"]):
            return self.answer(400, {"error": {"message": "too long"}})
        text = self.server.model(body["messages"])
        choice = {"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        self.answer(200, {"choices": [choice], "usage": {"prompt_tokens": 10, "completion_tokens": 3}})

    def answer(self, status: int, content: Any, **headers: str) -> None:
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    """Answers as `model` says; first it fails in the ways of `failures`, one a request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.asked: list[dict[str, Any]] = []
        self.failures: list[Failure] = []
        self.refuses: str | None = None  # conversations that speak of it are refused
        self.model: Callable[[list[dict[str, str]]], str] = talkative

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


def talkative(messages: list[dict[str, str]]) -> str:
    """The person asks for something new each time; the answers are words of the question, backwards."""
    text = messages[-1]["content"]
    if not text.startswith("Write what a person says"):
        return " ".join(reversed(text.split()))
    topic = text.split("Topic: ")[1].split(".")[0] if "Topic: " in text else "the text"
    person = text.split("The person is ")[1].split(".")[0]
    return f'"Question {text.count("Assistant:")} on {topic}, asked by {person}: which is it?"'


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setenv("TEST_KEY", KEY)


TOPICS = ["lava", "bread", "ships", "owls"]


def config(server: Server, folder: Path, **changed: Any) -> SynthesisConfig:
    settings = {"topics": TOPICS, "rows": 4, "turns": 2, "batch_size": 2, "api_key_variable": "TEST_KEY"}
    settings |= {"endpoint": server.url, "model": "m", "input_price": 2.0, "output_price": 10.0}
    return SynthesisConfig(str(folder / "made"), **(settings | changed))


def lines(file: Path | str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(file).read_text(encoding="utf-8").splitlines()]


def asking(server: Server, *failures: Failure, **options: Any) -> Endpoint:
    server.failures = list(failures)
    settings = {"pace": Pace(), "options": {}, "retries": 3, "timeout_seconds": 5.0}
    return Endpoint(server.url, "m", KEY, **(settings | options))


HELLO = [{"role": "user", "content": "a b"}]


def test_two_roles_make_conversations_and_the_costs_are_counted(server: Server, tmp_path: Path) -> None:
    settings = config(server, tmp_path)
    numbers = synthesize.main(settings)
    rows = lines(tmp_path / "made" / "train.jsonl")
    assert sorted(row["source"] for row in rows) == sorted(TOPICS)
    for row in rows:
        assert [message["role"] for message in row["messages"]] == ["user", "assistant"] * 2
        first, answer, second, _ = (message["content"] for message in row["messages"])
        assert first.startswith(f"Question 0 on {row['source']}")  # without the quotation marks
        assert second.startswith(f"Question 1 on {row['source']}")  # that side has read the conversation
        assert answer == " ".join(reversed(first.split()))
    assert numbers == {
        "conversations": 4,
        "dropped": {},
        "requests": 16,  # 4 conversations x 2 turns x 2 roles
        "input_tokens": 160,
        "output_tokens": 48,
        "cost": 0.0008,  # (160 * 2 + 48 * 10) / 1e6
        "rows": 4,
    }
    assert {(one["path"], one["key"], one["model"]) for one in server.asked} == {
        ("/v1/chat/completions", f"Bearer {KEY}", "m")
    }
    everything = [file.read_text() for file in tmp_path.rglob("*") if file.is_file()]
    assert not any(KEY in text for text in everything)


def test_the_stage_sft_reads_it(server: Server, tmp_path: Path) -> None:
    synthesize.main(config(server, tmp_path))
    rows = conversations.to_messages(data.load(DatasetConfig(str(tmp_path / "made"))), "made")
    assert len(rows) == 4


def fails(status: int, content: Any = b"", **headers: str) -> Failure:
    return lambda handler: handler.answer(status, content, **headers)


def breaks_off(status: int) -> Failure:
    def failure(handler: Handler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"error": ')
        handler.close_connection = True

    return failure


def hangs_up(handler: Handler) -> None:
    handler.close_connection = True
    handler.connection.close()


def dawdles(handler: Handler) -> None:
    time.sleep(0.5)
    hangs_up(handler)


@pytest.mark.parametrize(
    "failure",
    [
        *(fails(500), fails(503, b"<html>"), fails(429), breaks_off(500), breaks_off(200), hangs_up, dawdles),
        *(fails(200, b'{"choices": ['), fails(200, {"error": "busy"}), fails(200, {"choices": []}), fails(200, b"[1]")),
        *(fails(200, {"choices": [{"message": {"content": ["no text"]}}]}), fails(200, b"\xff\xfe")),
    ],
)
def test_what_passes_is_tried_again(server: Server, failure: Failure) -> None:
    asked = asking(server, failure, failure, timeout_seconds=0.2)
    assert asked.ask(HELLO) == Reply("b a", True, 10, 3)
    assert len(server.asked) == 3


def test_the_server_says_how_long_to_wait(server: Server) -> None:
    asked = asking(server, fails(429, Retry_After="0.3"))
    begun = time.monotonic()
    asked.ask(HELLO)
    assert 0.3 <= time.monotonic() - begun < 2
    soon = datetime.now(UTC) + timedelta(seconds=30)
    assert 28 < endpoint.retry_after(format_datetime(soon, usegmt=True)) <= 30
    assert endpoint.retry_after("2") == 2.0
    assert endpoint.retry_after("Thu, 01 Jan 1970 00:00:00 GMT") == 0.0
    assert endpoint.retry_after("soon") is endpoint.retry_after(None) is None


def test_what_does_not_pass_ends_the_run_and_names_no_key(server: Server) -> None:
    wrong_key = fails(401, {"error": f"no such key: {KEY}"})
    with pytest.raises(UserMistake, match=r"127.0.0.1.*'m': 401 Unauthorized.*no such key: \*\*\*"):
        asking(server, wrong_key).ask(HELLO)
    with pytest.raises(UserMistake, match="302 Found"):
        asking(server, fails(302, Location="http://127.0.0.1:1/elsewhere")).ask(HELLO)
    assert len(server.asked) == 2  # neither was tried again, nor did the key go elsewhere
    with pytest.raises(UserMistake, match=r"no answer after 4 tries; the last: 500 [\w ]+: broken\n.*it goes on"):
        asking(server, *[fails(500, b"broken")] * 4).ask(HELLO)
    assert KEY not in repr(asking(server))


def test_what_was_broken_off_is_judged_by_its_status(server: Server) -> None:
    with pytest.raises(endpoint.RefusedError, match=r"^400 Bad Request$"):
        asking(server, breaks_off(400)).ask(HELLO)
    assert len(server.asked) == 1


def test_a_key_may_end_in_a_line_break(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", f"{KEY}\r\n")
    synthesize.main(config(server, tmp_path))
    assert {one["key"] for one in server.asked} == {f"Bearer {KEY}"}


def test_half_a_character_is_replaced(server: Server, tmp_path: Path) -> None:
    server.model = lambda messages: f"{talkative(messages)} \ud83d and \U0001f30b"
    synthesize.main(config(server, tmp_path, turns=1))
    texts = [message["content"] for row in lines(tmp_path / "made" / "train.jsonl") for message in row["messages"]]
    assert all("\ufffd" in text and "\U0001f30b" in text for text in texts)


def test_a_refused_conversation_is_left_out_and_not_asked_again(server: Server, tmp_path: Path) -> None:
    server.refuses = "bread"
    settings = config(server, tmp_path)
    numbers = synthesize.main(settings)
    assert (numbers["rows"], numbers["dropped"]) == (3, {"refused_by_server": 1})
    [refused] = [row for row in lines(making.made_file(settings)) if row["refused"]]
    assert "too long" in refused["refused"]
    asked = len(server.asked)
    assert synthesize.main(settings) == numbers
    assert len(server.asked) == asked


def test_a_run_that_was_cut_off_asks_for_nothing_twice(server: Server, tmp_path: Path) -> None:
    settings = config(server, tmp_path, rows=6, batch_size=1, retries=0)
    server.failures = [None] * 10 + [fails(500)]  # two conversations of four requests, and half of a third
    with pytest.raises(UserMistake, match="run the recipe again"):
        synthesize.main(settings)
    file = making.made_file(settings)
    assert len(lines(file)) == 2
    file.write_bytes(file.read_bytes() + b'{"number": 2, "source": "caf\xc3')  # killed in the middle of a letter
    server.asked.clear()
    numbers = synthesize.main(settings)
    assert len(server.asked) == 4 * 4
    assert (numbers["rows"], numbers["requests"]) == (6, 24)
    more = config(server, tmp_path, rows=8, batch_size=1)
    server.asked.clear()
    assert synthesize.main(more)["rows"] == 8
    assert len(server.asked) == 2 * 4
    assert making.made_file(config(server, tmp_path, temperature=0.5)) != file


def test_the_pace_is_kept_whoever_asks() -> None:
    pace = Pace(requests_per_minute=1200)  # one every 0.05 seconds
    begun = time.monotonic()
    askers = [threading.Thread(target=pace.wait) for _ in range(5)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert 0.2 <= time.monotonic() - begun < 1


def test_a_person_has_the_last_word(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "reviews" / "mine.jsonl"
    settings = config(server, tmp_path, review="required", review_file=str(file), max_answer_words=1000)
    with pytest.raises(UserMistake, match="4 conversations wait for a person"):
        synthesize.main(settings)
    header, first, second, *others = lines(file)
    assert [row["keep"] for row in (first, second)] == [True, True]
    first["messages"][1]["content"] = "Corrected."
    second["keep"] = False
    write(file, [header, first, second, *others])
    with pytest.raises(UserMistake, match="wait for a person"):  # nobody has signed
        synthesize.main(settings)
    write(file, [header | {"reviewed_by": "Ada"}, first, second, *others])
    asked = len(server.asked)
    numbers = synthesize.main(settings)
    assert len(server.asked) == asked
    assert [numbers[name] for name in ("rows", "edited", "discarded_by_hand", "rescued_by_hand")] == [3, 1, 1, 0]
    rows = lines(tmp_path / "made" / "train.jsonl")
    assert rows[0]["messages"][1]["content"] == "Corrected."
    assert second["messages"] not in [row["messages"] for row in rows]

    settings.rows = 5  # one more: what was corrected stays, and somebody must look at the new one
    with pytest.raises(UserMistake, match="5 conversations wait"):
        synthesize.main(settings)
    header, *records = lines(file)
    assert (header["reviewed_by"], records[:2], len(records)) == (None, [first, second], 5)
    settings.review = "optional"
    assert synthesize.main(settings)["rows"] == 4


def write(file: Path, rows: list[dict[str, Any]]) -> None:
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_a_slip_in_the_review_is_named_by_its_line(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "mine.jsonl"
    good = {"id": "a/0", "keep": True, "messages": [{"role": "user", "content": "?"}, dialogue.user("!")]}
    write(file, [review.HEADER, good | {"keep": "no"}, good, good | {"messages": [{"role": "user"}]}])
    with file.open("a") as out:
        out.write('{"id": \n')
    with pytest.raises(UserMistake) as mistake:
        synthesize.main(config(server, tmp_path, review="optional", review_file=str(file)))
    assert str(mistake.value).split("\n")[1:4] == [
        "  line 2: keep is 'no', not true or false",
        "  line 3: does not end with an answer of the assistant",
        "  line 4: a message has no content",
    ]
    assert "line 5: no JSON" in str(mistake.value)
    assert not server.asked


def test_a_document_stands_in_the_first_message(server: Server, tmp_path: Path) -> None:
    texts = [{"text": "Owls see in the dark. " * 9}, {"text": "Ships float on the sea."}]
    write(tmp_path / "texts.jsonl", texts)
    datasets = [DatasetConfig(str(tmp_path / "texts.jsonl"))]
    settings = config(server, tmp_path, topics=[], datasets=datasets, rows=2, document_characters=50)
    synthesize.main(settings)
    rows = sorted(lines(tmp_path / "made" / "train.jsonl"), key=lambda row: row["source"])
    starts = [row["messages"][0]["content"].split("\n\n") for row in rows]
    assert [start[0] for start in starts] == [texts[0]["text"][:50].strip(), texts[1]["text"]]
    assert all(start[1].startswith("Question 0 on the text") for start in starts)
    followed = [one["messages"][0]["content"] for one in server.asked if "so far" in one["messages"][0]["content"]]
    assert all(text.count("Owls see") <= 3 and text.count("Ships float") <= 1 for text in followed)  # quoted once


def test_first_messages_can_be_given(server: Server, tmp_path: Path) -> None:
    questions = ["Where is lava?", "Who bakes bread?"]
    settings = config(server, tmp_path, topics=questions, rows=2, first_message="given")
    numbers = synthesize.main(settings)
    rows = lines(tmp_path / "made" / "train.jsonl")
    assert sorted(row["messages"][0]["content"] for row in rows) == questions
    assert all(row["messages"][2]["content"].startswith("Question 1") for row in rows)
    assert numbers["requests"] == 2 * 3


def test_topics_come_round_in_a_new_order_each_time() -> None:
    picked = [dialogue.pick(TOPICS, str, 0, number, seed=0) for number in range(40)]
    rounds = [[one.source for one in picked[start : start + 4]] for start in range(0, 40, 4)]
    assert all(sorted(one) == sorted(TOPICS) for one in rounds)
    assert len({tuple(one) for one in rounds}) > 3
    assert len({one.person for one in picked}) > 5


def test_a_talk_ends_when_somebody_falls_silent() -> None:
    talk = dialogue.dialogue(Seed("lava"), turns=3, assistant_style="Be brief.")
    assert "Topic: lava." in next(talk)[0]["content"]
    prompt = talk.send(Reply("Person: What is lava?", True, 5, 2))
    assert prompt == [{"role": "system", "content": "Be brief."}, dialogue.user("What is lava?")]
    talk.send(Reply("<think>rock?</think>\nMolten rock.", True, 7, 4))
    with pytest.raises(StopIteration) as end:
        talk.send(Reply("  ", False, 1, 1))
    draft = end.value.value
    assert [message["content"] for message in draft.messages] == ["What is lava?", "Molten rock."]
    assert (draft.requests, draft.input_tokens, draft.output_tokens, draft.cut_off) == (3, 13, 7, True)


def test_only_one_pair_of_quotation_marks_is_taken_off() -> None:
    assert dialogue.plain_message('User: "What is lava?"') == "What is lava?"
    assert dialogue.plain_message('"A" and "B"') == '"A" and "B"'


def draft(*texts: str, **changed: Any) -> Draft:
    roles = ("user", "assistant") * len(texts)
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return Draft(messages, **changed)


@pytest.mark.parametrize(
    ("reason", "made", "limits"),
    [
        (None, draft("What is lava?", "It is molten rock."), {}),
        ("empty", draft(), {}),
        ("cut_off", draft("What is lava?", "It is", cut_off=True), {}),
        ("too_short", draft("What is lava?", "Rock."), {"min_answer_words": 2}),
        ("too_long", draft("What is lava?", "It is molten rock."), {"max_answer_words": 3}),
        ("roles_mixed_up", draft("Hello! How can I help you today?", "I would like some bread."), {}),
        ("repeats_itself", draft("Why?", "So.", "why", "Because."), {}),
        ("repeats_itself", draft("Why?", "So.", "And why?", "So!"), {}),
        ("refusal", draft("What is lava?", "I'm sorry, but I cannot help with that."), {}),
        (None, draft("What is lava?", "I'm sorry, but I cannot help with that."), {"refusals": True}),
        ("repetition", draft("What is lava?", "ha ha ha " * 40), {}),
        ("language", draft("Was ist denn eigentlich Lava?", "Das ist geschmolzenes Gestein aus der Erde."), {}),
    ],
)
def test_reasons_to_leave_a_conversation_out(reason: str | None, made: Draft, limits: dict[str, Any]) -> None:
    assert quality.problem(made, quality.Limits(**({"language": "en"} | limits))) == reason


def test_near_duplicates_by_hand() -> None:
    words = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
    changed = words.replace("fourteen", "15")  # 10 groups of five words each, of which 9 are shared: 9 / 11 = 0.82
    other = "something else is said here, and nothing of it was said before"
    texts = [words, other, changed, words.upper(), "short", "Short!", "shorter"]
    assert quality.duplicates(texts, 0.8) == {2: 0, 3: 0, 5: 4}
    assert quality.duplicates(texts, 0.83) == {3: 0, 5: 4}


def test_a_document_does_not_make_two_conversations_alike() -> None:
    text = "the same long document of many words that both of them quote as it is\n\n"
    pair = [draft(text + asked, "Yes.", quoted=len(text)) for asked in ("Is it long?", "Who wrote it?")]
    assert [quality.own_text(one) for one in pair] == ["Is it long?\nYes.", "Who wrote it?\nYes."]


def test_a_model_that_is_here_makes_them_in_batches(tmp_path: Path) -> None:
    folder = stand_in.make(tmp_path / "model")
    shape = json.loads((folder / "config.json").read_text()) | {"max_position_embeddings": 2048}
    (folder / "config.json").write_text(json.dumps(shape))
    settings = SynthesisConfig(
        str(tmp_path / "made"), str(folder), topics=["a", "b"], rows=5, turns=2, batch_size=2, max_new_tokens=12
    )
    made = making.make(settings)
    file = making.made_file(settings)
    whole = file.read_bytes()
    assert [row["number"] for row in made] == [0, 1, 2, 3, 4]
    assert all(row["requests"] >= 1 and row["input_tokens"] > 0 < row["output_tokens"] for row in made)
    for cut in (2, 3):  # behind a batch, and in the middle of one
        file.write_bytes(b"".join(whole.splitlines(keepends=True)[:cut]) + b'{"number": 2')
        assert making.make(settings) == made
        assert file.read_bytes() == whole
    settings.rows = 6
    assert making.make(settings)[:5] == made  # the last batch is drawn again, and what was there stays
    assert file.read_bytes().startswith(whole)


def test_batches_are_the_same_whichever_of_their_rows_are_missing() -> None:
    assert making.whole_batches([0, 1, 2, 3, 4], size=2, rows=5) == [[0, 1], [2, 3], [4]]
    assert making.whole_batches([1, 4], size=2, rows=6) == [[0, 1], [4, 5]]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"endpoint": None}, "who writes"),
        ({"model_name_or_path": "x"}, "who writes"),
        ({"model": None}, "needs  model:"),
        ({"endpoint": "localhost:8000"}, "is no address"),
        ({"api_key_variable": "NOT_THERE"}, "the environment has no NOT_THERE"),
        ({"topics": []}, "about what"),
        ({"rows": 0}, "rows: 0 is too few"),
        ({"retries": -1}, "retries: -1 is too few, write 0 or more"),
        ({"api_key_variable": "sk-live-123"}, "api_key_variable: is no name"),
        ({"requests_per_minute": 0}, "must be above 0"),
        ({"review": "required"}, "review_file: reviews/mine.jsonl"),
    ],
)
def test_mistakes_are_found_before_anything_is_asked(
    server: Server, tmp_path: Path, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserMistake, match=message):
        synthesize.main(config(server, tmp_path, **changed))
    assert not server.asked


def test_nothing_good_is_told(server: Server, tmp_path: Path) -> None:
    server.model = lambda messages: "I cannot help with that."
    with pytest.raises(UserMistake, match=r"4 conversations, and none is kept: .*; see .*\.jsonl"):
        synthesize.main(config(server, tmp_path))


def test_its_keys_are_explained() -> None:
    schema = keys.schema_of_main(synthesize.main)
    assert schema["required"] == ["output_dir"]
    assert all(key["description"] for key in schema["properties"].values())
