"""What happens in a conversation: turns, answers that appear while they are drawn, and commands that begin with `/`.

Used by `hfllm chat`. Writes to the screen, and to the file that /save names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hfllm import calls
from hfllm.chat import screen
from hfllm.chat.model import Message, Prompt, Talker
from hfllm.chat.sampling import Sampling, Step, TextStream, check_options, stream
from hfllm.errors import UserMistake
from hfllm.mistakes import near
from hfllm.tools import Tool
from hfllm.untrusted import control_tokens

HELP = """\
  /help             this list
  /reset            forget the conversation
  /system TEXT      set the system message (and start anew); without TEXT, remove it
  /temperature X    0 always takes the likeliest token, 1 draws from the model's own distribution
  /seed N           the same answer every time; without N, a new one every time
  /save FILE        append the conversation to FILE as one line of JSON
  /quit             or Ctrl-D; Ctrl-C stops an answer, twice ends the chat"""


@dataclass
class Chat:
    """A conversation with a model, and how the next answer is drawn."""

    talker: Talker
    sampling: Sampling
    max_new_tokens: int
    show_probabilities: bool
    system: str | None
    tools: Sequence[Tool] = ()
    messages: list[Message] = field(default_factory=list)  # without the system message

    def answer(self, text: str) -> None:
        """Add a turn of the user, and write the model's answer while it comes, with the tools that it calls.

        Ctrl-C (KeyboardInterrupt) passes through, with what was said so far kept. Raises UserMistake for a text that is
        too long, which is then forgotten."""
        before = list(self.messages)
        if self.talker.base and text:
            self.messages = []  # an empty line goes on with the last text instead
        self.messages.append({"role": "user", "content": text})
        try:
            prompt = self.talker.prompt(self.all_messages(), self.max_new_tokens)
        except UserMistake:
            self.messages = before
            raise
        if prompt.dropped:
            full = f"the context of {self.talker.context} tokens is full"
            screen.notice(f"({full}: the oldest {prompt.dropped} messages are forgotten)")
            self.messages = self.messages[prompt.dropped :]
        self._respond(prompt)

    def all_messages(self) -> list[Message]:
        """The conversation with its system message."""
        system = [] if self.system is None or self.talker.base else [{"role": "system", "content": self.system}]
        return system + self.messages

    def _respond(self, prompt: Prompt) -> None:
        """Let the model speak; run what it calls, and let it go on, until it has nothing more to call."""
        called = 0
        while True:
            self.messages.append({"role": "assistant", "content": ""})
            written = self._speak(prompt)
            if self.talker.base or len(written) == prompt.room:
                return
            message, found = calls.read(self.talker.tokenizer, prompt.ids, written, self.talker.tools)
            self.messages[-1] = message
            called += len(found)
            if not found or not self.tools:
                return
            if called > calls.MAX_TOOL_CALLS:
                return screen.notice(f"(an answer may call {calls.MAX_TOOL_CALLS} tools, no more)")
            more = self._with_results(prompt, written, found)
            if more is None:
                return screen.notice("(there is no room for the result)")
            prompt = more

    def _with_results(self, prompt: Prompt, written: list[int], found: list[calls.Call]) -> Prompt | None:
        """Run the calls and show what the tools say; the prompt to go on from, or None when it leaves no room."""
        tokenizer = self.talker.tokenizer
        results = calls.run(found, self.tools, control_tokens(tokenizer))
        for result in results:
            screen.tool_result(result["name"], result["content"])
        new = written + calls.continuation(tokenizer, results, self.talker.stop_ids)
        if len(new) >= prompt.room:
            return None
        self.messages += results
        return Prompt(prompt.ids + new, prompt.room - len(new))

    def _speak(self, prompt: Prompt) -> list[int]:
        """Show one message of the model while it comes; the ids drawn, without the stop token."""
        said, written = self.messages[-1], list[int]()
        if not self.show_probabilities:
            self._repeat_prompt()
        try:
            for piece in self._pieces(prompt, written):
                said["content"] += piece
                if not self.show_probabilities:
                    screen.answer(piece)
        finally:
            if self.show_probabilities:  # the tables are done: the whole text once more
                screen.answer("\n")
                self._repeat_prompt()
                screen.answer(said["content"])
            screen.answer("\n")
        if not written:
            screen.notice("(the model ended its answer at once)")
        elif len(written) == prompt.room:
            full = len(prompt.ids) + prompt.room == self.talker.context
            why = "the context is full" if full else "--max-new-tokens"
            screen.notice(f"(cut off after {prompt.room} tokens: {why})")
        return written

    def _repeat_prompt(self) -> None:
        """What a base model adds reads best behind what it adds to; off a terminal only the answer counts."""
        if self.talker.base and screen.is_terminal():
            screen.answer_prompt(self.messages[-2]["content"])

    def _pieces(self, prompt: Prompt, written: list[int]) -> Iterator[str]:
        """The text of each token, which joins `written`, and at the very end what an unfinished character left."""
        text = TextStream(self.talker.tokenizer, prompt.ids)
        for step in stream(self.talker.model, prompt.ids, self.sampling, prompt.room, self.talker.stop_ids):
            if self.show_probabilities:
                screen.answer_table(self._table(step))
            written.append(step.token)
            yield text.push(step.token)
        yield text.flush()

    def _table(self, step: Step) -> list[tuple[str, float, bool]]:
        decode = self.talker.tokenizer.decode
        return [(decode([token]), share, token == step.token) for token, share in step.candidates]

    def command(self, line: str) -> bool:
        """Do what a line such as "/seed 3" says; False when the chat is to end."""
        name, _, value = line.partition(" ")
        value = value.strip()
        match name:
            case "/help":
                screen.notice(HELP)
            case "/quit":
                return False
            case "/reset":
                self.messages = []
                screen.notice("(the conversation is forgotten)")
            case "/system":
                self._set_system(value)
            case "/temperature" | "/seed":
                self._set_number(name, value)
            case "/save":
                self._save(value)
            case _:
                known = re.findall(r"^  (/\w+)", HELP, flags=re.MULTILINE)
                screen.complaint(f"no command {name}{near(name, known) or '; /help lists them'}")
        return True

    def _set_system(self, text: str) -> None:
        if self.talker.base:
            return screen.complaint("a base model has no system message")
        self.system = text or None
        self.messages = []
        screen.notice("(new system message, new conversation)" if text else "(no system message, new conversation)")

    def _set_number(self, name: str, value: str) -> None:
        try:
            if name == "/temperature":
                changed = replace(self.sampling, temperature=float(value))
                check_options({name: changed.temperature})
            else:
                changed = replace(self.sampling, seed=int(value) if value else None)
                check_options({name: changed.seed})
        except ValueError:
            return screen.complaint(f"{name} takes a number, not {value!r}")
        except UserMistake as mistake:
            return screen.complaint(str(mistake))
        self.sampling = changed
        screen.notice(f"({name[1:]} {value or 'off'})")

    def _save(self, file: str) -> None:
        """One line of JSON a conversation, in a layout that the sft (messages) or pretrain (text) stage reads."""
        if not file or not self.messages:
            return screen.complaint("nothing was said yet" if file else "/save needs a file name")
        row: dict[str, Any] = (
            {"text": "".join(m["content"] for m in self.messages)}
            if self.talker.base
            else {"messages": self.all_messages()}
        )
        if self.tools:
            row["tools"] = json.dumps(self.talker.tools)
        try:
            with open(file, "a", encoding="utf-8") as out:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        except OSError as error:
            return screen.complaint(f"not saved: {error}")
        screen.notice(f"(added to {file})")
