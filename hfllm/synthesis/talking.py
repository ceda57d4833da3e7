"""Who drives the dialogues? A model on this machine in batches, or an endpoint with several conversations at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

from hfllm.synthesis.dialogue import Draft, Message, Reply, Talk
from hfllm.synthesis.endpoint import Endpoint, RefusedError, StoppedError

Row = dict[str, Any]


def in_step(talks: Sequence[Talk], ask: Callable[[list[list[Message]]], list[Reply]]) -> list[Draft]:
    """All talks at once, each round one batch; `ask` answers a batch of prompts in their order."""
    drafts: dict[int, Draft] = {}
    prompts = {number: next(talk) for number, talk in enumerate(talks)}
    while prompts:
        replies = ask(list(prompts.values()))
        for number, reply in zip(list(prompts), replies, strict=True):
            try:
                prompts[number] = talks[number].send(reply)
            except StopIteration as end:
                drafts[number] = end.value
                del prompts[number]
    return [drafts[number] for number in range(len(talks))]


def one_by_one(
    numbers: Sequence[int], talk_of: Callable[[int], Talk], endpoint: Endpoint, seed: int, at_once: int
) -> Iterator[tuple[int, Draft | str]]:
    """Each conversation's number with what came of it, as they are finished; text is why the server refused it.

    When the endpoint fails for good, the finished ones come first, and then its `UserMistake`."""
    failure: BaseException | None = None
    with ThreadPoolExecutor(at_once) as pool:
        futures = {pool.submit(_whole, talk_of(number), endpoint, seed + number): number for number in numbers}
        try:
            for future in as_completed(futures):
                error = future.exception()
                if error is None:
                    yield futures[future], future.result()
                elif isinstance(error, RefusedError):
                    yield futures[future], str(error)
                elif not isinstance(error, StoppedError):
                    failure = failure or error
                    endpoint.pace.stopped.set()  # the others end at their next request
        finally:
            endpoint.pace.stopped.set()  # Ctrl-C: nobody waits for a retry
            pool.shutdown(wait=False, cancel_futures=True)
    if failure is not None:
        raise failure


def _whole(talk: Talk, endpoint: Endpoint, seed: int) -> Draft:
    prompt = next(talk)
    while True:
        try:
            prompt = talk.send(endpoint.ask(prompt, seed=seed))
        except StopIteration as end:
            return end.value
