"""What happens in a conversation: turns, answers that appear while they are drawn, and commands that begin with `/`.

Used by `hfllm chat`. Writes to the screen, and to the file that /save names."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hfllm.chat import screen
from hfllm.chat.model import Message, Prompt, Talker
from hfllm.chat.sampling import Sampling, Step, TextStream, check_options, stream
from hfllm.errors import UserMistake
from hfllm.mistakes import near

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
    messages: list[Message] = field(default_factory=list)  # without the system message

    def answer(self, text: str) -> None:
        """Add a turn of the user, and write the model's answer while it comes.

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
        self.messages.append({"role": "assistant", "content": ""})
        self._speak(prompt)

    def all_messages(self) -> list[Message]:
        """The conversation with its system message."""
        system = [] if self.system is None or self.talker.base else [{"role": "system", "content": self.system}]
        return system + self.messages

    def _speak(self, prompt: Prompt) -> None:
        said = self.messages[-1]
        if not self.show_probabilities:
            self._repeat_prompt()
        tokens = -1  # the last piece is what was held back, no token
        try:
            for piece in self._pieces(prompt):
                tokens += 1
                said["content"] += piece
                if not self.show_probabilities:
                    screen.answer(piece)
        finally:
            if self.show_probabilities:  # the tables are done: the whole text once more
                screen.answer("\n")
                self._repeat_prompt()
                screen.answer(said["content"])
            screen.answer("\n")
        if tokens == 0:
            screen.notice("(the model ended its answer at once)")
        elif tokens == prompt.room:
            why = "--max-new-tokens" if prompt.room == self.max_new_tokens else "the context is full"
            screen.notice(f"(cut off after {prompt.room} tokens: {why})")

    def _repeat_prompt(self) -> None:
        """What a base model adds reads best behind what it adds to; off a terminal only the answer counts."""
        if self.talker.base and screen.is_terminal():
            screen.answer_prompt(self.messages[-2]["content"])

    def _pieces(self, prompt: Prompt) -> Iterator[str]:
        """The text of each token, and at the very end what an unfinished character left."""
        text = TextStream(self.talker.tokenizer, prompt.ids)
        for step in stream(self.talker.model, prompt.ids, self.sampling, prompt.room, self.talker.stop_ids):
            if self.show_probabilities:
                screen.answer_table(self._table(step))
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
        row = (
            {"text": "".join(m["content"] for m in self.messages)}
            if self.talker.base
            else {"messages": self.all_messages()}
        )
        try:
            with open(file, "a", encoding="utf-8") as out:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        except OSError as error:
            return screen.complaint(f"not saved: {error}")
        screen.notice(f"(added to {file})")
