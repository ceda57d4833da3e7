"""How do the tests call a solution that lives in another process? Each side asks the other, and answers while it waits.

The tests' side gives away nothing but functions that a test hands over as an argument, and these only to be called."""

from __future__ import annotations

import builtins
import operator
import os

from hfllm.confined import values

TYPE_CHECKING = False  # importing it from typing would cost every program milliseconds
if TYPE_CHECKING:
    from collections.abc import Callable

LENGTH = 8  # bytes
# What a side does with a value of its own when asked. None of these shows a solution what its result is compared with.
DEEDS: dict[str, Callable] = {
    **{"call": operator.call, "dir": dir, "getattr": getattr, "setattr": setattr, "eq": operator.eq, "lt": operator.lt},
    **{"getitem": operator.getitem, "iter": iter, "next": next, "len": len, "bool": bool, "str": str, "repr": repr},
    **{"int": int, "float": float, "hash": hash},
}


class Peer:
    """One end of the conversation: two pipes, and the values that the other side knows by number."""

    def __init__(self, read_end: int, write_end: int, *, only_functions: bool) -> None:
        self._read_end, self._write_end, self._only_functions = read_end, write_end, only_functions
        self._held: list[object] = []
        self._numbers: dict[int, int] = {}  # id() of a held value -> its number; held values live for ever

    def ask(self, number: int, deed: str, *arguments: object, **keywords: object) -> object:
        """One of `DEEDS` with a value of the other side. Lists, dicts and sets that it changed are changed here too."""
        self._send("ask", number, deed, list(arguments), keywords)
        while True:
            match self._receive():
                case ["ask", int(asked), str(name), list(given), dict(named)]:
                    self._answer(asked, name, given, named)
                case ["done", result, changed]:
                    if isinstance(changed, list):
                        for old, new in zip(arguments, changed, strict=True):
                            _become(old, new)
                    return result
                case ["raised", str(name), str(text)]:
                    raise _exception(name)(text)
                case message:
                    raise ValueError(f"not a message: {str(message)[:80]}")

    def answer_next(self) -> None:
        """Wait for one question and answer it. Raises EOFError when the other side has ended."""
        match self._receive():
            case ["ask", int(number), str(deed), list(arguments), dict(keywords)]:
                self._answer(number, deed, arguments, keywords)

    def hold(self, value: object) -> bytes:
        """The bytes that stand for a value that stays in its process."""
        if isinstance(value, StandIn):
            return values.held(object.__getattribute__(value, "_number"), by_sender=False)
        if self._only_functions and not callable(value):
            raise TypeError(f"the tests cannot give a {type(value).__name__} to the solution")
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self._held)
            self._held.append(value)
        return values.held(self._numbers[id(value)], by_sender=True)

    def _answer(self, number: int, deed: str, arguments: list, keywords: dict) -> None:
        if self._only_functions and deed != "call":
            raise PermissionError(deed)
        before = values.encode(arguments, self.hold)
        try:
            result = DEEDS[deed](self._held[number], *arguments, **keywords)
            changed = arguments if values.encode(arguments, self.hold) != before else None
            self._send("done", result, changed)
        except Exception as error:  # noqa: BLE001 - whatever the other side's function raises is its caller's
            self._send("raised", type(error).__name__, str(error))

    def _fetch(self, number: int, here: bool) -> object:
        return self._held[number] if here else StandIn(self, number)

    def _send(self, *message: object) -> None:
        data = values.encode(list(message), self.hold)
        data = len(data).to_bytes(LENGTH, "big") + data
        while data:
            data = data[os.write(self._write_end, data) :]

    def _receive(self) -> object:
        size = int.from_bytes(self._read(LENGTH), "big")
        return values.decode(self._read(size), self._fetch)

    def _read(self, size: int) -> bytes:
        parts = []
        while size:
            part = os.read(self._read_end, min(size, 1 << 20))
            if not part:
                raise EOFError
            parts.append(part)
            size -= len(part)
        return b"".join(parts)


class StandIn:
    """Here for a value of the other side. Equal to another stand-in when its original says so, and to nothing else."""

    def __init__(self, peer: Peer, number: int) -> None:
        object.__setattr__(self, "_peer", peer)
        object.__setattr__(self, "_number", number)

    def __getattr__(self, name: str) -> object:
        return _ask(self, "getattr", name)

    def __setattr__(self, name: str, value: object) -> None:
        _ask(self, "setattr", name, value)

    def __call__(self, *arguments: object, **keywords: object) -> object:
        return _ask(self, "call", *arguments, **keywords)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StandIn) and _ask(self, "eq", other) is True

    def __lt__(self, other: object) -> bool:
        return isinstance(other, StandIn) and _ask(self, "lt", other) is True


def _asker(deed: str) -> Callable:
    return lambda self, *arguments: _ask(self, deed, *arguments)


for _deed in ("getitem", "iter", "next", "len", "bool", "str", "repr", "int", "float", "hash"):
    setattr(StandIn, f"__{_deed}__", _asker(_deed))


def _ask(stand_in: StandIn, deed: str, *arguments: object, **keywords: object) -> object:
    peer: Peer = object.__getattribute__(stand_in, "_peer")
    return peer.ask(object.__getattribute__(stand_in, "_number"), deed, *arguments, **keywords)


def _become(old: object, new: object) -> None:
    """An argument that the other side changed in place."""
    if isinstance(old, list) and isinstance(new, list):
        old[:] = new
    elif (isinstance(old, dict) and isinstance(new, dict)) or (isinstance(old, set) and isinstance(new, set)):
        old.clear()
        old.update(new)


def _exception(name: str) -> type[Exception]:
    """Python's own exception of that name, so that tests can expect it."""
    found = vars(builtins).get(name)
    return found if isinstance(found, type) and issubclass(found, Exception) else RuntimeError
