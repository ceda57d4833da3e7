"""Asking a model behind an OpenAI-compatible address: vLLM, llama.cpp, Ollama, TGI, or a paid service.

    endpoint = Endpoint("http://127.0.0.1:8000/v1", "qwen3", key=None, pace=Pace(60), options={"temperature": 0.7})
    endpoint.ask([{"role": "user", "content": "Hello"}]) -> Reply

Of the standard library alone: huggingface_hub's InferenceClient refuses every address, also one on this machine, in
offline mode, and sends the user's Hub token where no key is given. No redirect is followed, so that the key goes
nowhere else; it stands in no message."""

from __future__ import annotations

import http.client
import json
import random
import re
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Lock
from typing import Any
from urllib.parse import urlsplit

from hfllm.errors import UserMistake
from hfllm.synthesis.dialogue import Message, Reply

FIRST_WAIT_SECONDS = 1.0  # before the second try; twice as long before each further one, shortened by chance
LONGEST_WAIT_SECONDS = 300.0
AGAIN = {408, 409, 425, 429, 500, 502, 503, 504, 529}  # what the next try may not see
HOPELESS = {401, 402, 403, 404, 405}  # what every conversation would meet
SURROGATE = re.compile("[\ud800-\udfff]")  # half a character, such as "\ud83d", which no file can hold
SHOWN = 300  # characters of what a server says


class RefusedError(Exception):
    """The server will not answer this conversation: too long, or not allowed. Others may fare better."""


class StoppedError(Exception):
    """Somebody else ended the run while this request waited."""


class _BrokenAnswerError(Exception):
    """What came is no answer; the next try may bring one."""


@dataclass
class Pace:
    """At most so many requests a minute, however many threads ask; None is no limit."""

    requests_per_minute: float | None = None
    stopped: Event = field(default_factory=Event)
    _next: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def wait(self) -> None:
        """Until the next request may go out."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._next)
            self._next = start + 60 / self.requests_per_minute if self.requests_per_minute else self._next
        self.sleep(start - now)

    def hold(self, seconds: float) -> None:
        """Nobody asks before that: the server has said so."""
        with self._lock:
            self._next = max(self._next, time.monotonic() + seconds)

    def sleep(self, seconds: float) -> None:
        if self.stopped.wait(max(0.0, seconds)):
            raise StoppedError


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass
class Endpoint:
    """`options` go into each request as they are: temperature, max_tokens, seed."""

    url: str
    model: str
    key: str | None = field(repr=False)
    pace: Pace
    options: Mapping[str, Any]
    retries: int = 6
    timeout_seconds: float = 120.0

    def __post_init__(self) -> None:
        handlers: list[urllib.request.BaseHandler] = [_NoRedirect()]
        if urlsplit(self.url).hostname in {"localhost", "127.0.0.1", "::1"}:
            handlers.append(urllib.request.ProxyHandler({}))  # a proxy cannot reach what is on this machine
        self._opener = urllib.request.build_opener(*handlers)

    def ask(self, messages: list[Message], **options: Any) -> Reply:
        """One answer, after as many tries as it takes and are allowed.

        Raises RefusedError for what this conversation alone meets, UserMistake for what all would."""
        body = {"model": self.model, "messages": messages, **self.options, **options}
        for tried in range(self.retries + 1):
            self.pace.wait()
            try:
                return _reply(self._post(body))
            except urllib.error.HTTPError as error:
                problem = self._judge(error)
                asked_to_wait = retry_after(error.headers.get("Retry-After"))
            except (OSError, http.client.HTTPException, _BrokenAnswerError) as error:
                problem, asked_to_wait = f"{type(error).__name__}: {error}", None
            if tried < self.retries:
                self._wait(tried, asked_to_wait)
        raise UserMistake(
            f"endpoint {self.url}: no answer after {self.retries + 1} tries; the last: {self._without_key(problem)}\n"
            "  What is written so far is kept: run the recipe again and it goes on."
        )

    def _post(self, body: Mapping[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json", "User-Agent": "hfllm"}
        headers |= {"Authorization": f"Bearer {self.key}"} if self.key else {}
        address = f"{self.url.rstrip('/')}/chat/completions"
        request = urllib.request.Request(address, json.dumps(body).encode(), headers)
        with self._opener.open(request, timeout=self.timeout_seconds) as response:
            return response.read()

    def _judge(self, error: urllib.error.HTTPError) -> str:
        """What the server says, when it is worth another try; raises otherwise."""
        said = self._without_key(_body(error)[: 4 * SHOWN].decode("utf-8", "replace"))[:SHOWN]
        problem = f"{error.code} {error.reason}: {said}".strip(": ")
        if error.code in AGAIN:
            return problem
        if error.code in HOPELESS or 300 <= error.code < 400:
            raise UserMistake(f"endpoint {self.url}, model {self.model!r}: {problem}") from None
        raise RefusedError(problem) from None

    def _wait(self, tried: int, asked_to_wait: float | None) -> None:
        if asked_to_wait is not None:
            self.pace.hold(min(asked_to_wait, LONGEST_WAIT_SECONDS))  # for all; the next `pace.wait` sleeps
        else:
            longest = min(FIRST_WAIT_SECONDS * 2**tried, LONGEST_WAIT_SECONDS)
            self.pace.sleep(longest * random.uniform(0.5, 1))  # not all threads at the same moment

    def _without_key(self, text: str) -> str:
        return text.replace(self.key, "***") if self.key else text


def retry_after(text: str | None) -> float | None:
    """Seconds, which the header gives as such or as a date: retry_after("3") == 3.0."""
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (date.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _body(error: urllib.error.HTTPError) -> bytes:
    """What came with it; nothing when the connection broke in the middle."""
    try:
        return error.read()
    except (OSError, http.client.HTTPException):
        return b""


def _reply(body: bytes) -> Reply:
    try:
        answer = json.loads(body)
        choice, usage = answer["choices"][0], answer.get("usage") or {}
        text = choice["message"]["content"] or ""
        tokens = (int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0))
    except (ValueError, TypeError, LookupError, AttributeError):
        raise _BrokenAnswerError(f"no chat completion: {body[:SHOWN].decode('utf-8', 'replace')}") from None
    if not isinstance(text, str):
        raise _BrokenAnswerError(f"its content is no text: {text!r:.100}")
    return Reply(SURROGATE.sub("\ufffd", text), choice.get("finish_reason") != "length", *tokens)
