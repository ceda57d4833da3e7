"""What does a model say, whether it has learned to answer or only to continue?

    speaker = Speaker(talker, base_prompt="Question: {prompt}\\nAnswer:", batch_size=64)
    speaker.say([[{"role": "user", "content": "Who wrote Faust?"}], "Once upon a"], Sampling(0), 40)

Messages are laid out by the chat template, or for a base model by `base_prompt`, and its answer ends where the next
question would begin. A text is continued as it stands, by any model."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hfllm.chat.model import Message, Talker, stop_ids_of
from hfllm.chat.sampling import Sampling
from hfllm.generate import generate

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Prompt = list[Message] | str
PLACE = "{prompt}"


@dataclass(frozen=True)
class Said:
    """An answer, whether it came to its end by itself, and how the model's tokenizer cuts a text."""

    text: str
    ended: bool
    tokens: Callable[[str], list[int]]


class Speaker:
    """A loaded model that is asked, or given a text to continue."""

    def __init__(self, talker: Talker, base_prompt: str, batch_size: int) -> None:
        self.talker, self.base_prompt, self.batch_size = talker, base_prompt, batch_size
        self.plain = continuing(talker.tokenizer)

    def say(self, prompts: Sequence[Prompt], sampling: Sampling, max_new_tokens: int) -> list[Said]:
        """One answer for each prompt, in their order."""
        said: dict[int, Said] = {}
        for continues in (False, True):
            places = [place for place, prompt in enumerate(prompts) if self._continues(prompt) == continues]
            tokenizer = self.plain if continues else self.talker.tokenizer
            answers = generate(
                self.talker.model,
                tokenizer,
                [self._messages(prompts[place]) for place in places],
                sampling=sampling,
                max_new_tokens=max_new_tokens,
                batch_size=self.batch_size,
                stop_ids=stop_ids_of(self.talker.model, self.talker.tokenizer),
            )
            for place, answer in zip(places, answers, strict=True):
                text = self._cut(answer.text, prompts[place])
                said[place] = Said(text, answer.ended or text != answer.text, self._tokens)
        return [said[place] for place in range(len(prompts))]

    def _continues(self, prompt: Prompt) -> bool:
        return isinstance(prompt, str) or self.talker.base

    def _messages(self, prompt: Prompt) -> list[Message]:
        if isinstance(prompt, str):
            return [{"role": "user", "content": prompt}]
        if self.talker.base:
            asked = "\n".join(message["content"] for message in prompt)
            return [{"role": "user", "content": self.base_prompt.replace(PLACE, asked)}]
        return prompt

    def _cut(self, text: str, prompt: Prompt) -> str:
        """A base model goes on with questions of its own behind its answer."""
        if isinstance(prompt, str) or not self.talker.base:
            return text
        text = text.partition("\n\n")[0]
        begins = self.base_prompt.partition(PLACE)[0].strip()
        return (text.partition(f"\n{begins}")[0] if begins else text).strip()

    def _tokens(self, text: str) -> list[int]:
        return self.talker.tokenizer(text, add_special_tokens=False).input_ids


def continuing(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    """A copy whose template is the bare text, begun as the tokenizer begins any text."""
    plain = copy.deepcopy(tokenizer)
    begins = tokenizer.bos_token_id is not None and tokenizer("a").input_ids[:1] == [tokenizer.bos_token_id]
    plain.chat_template = ("{{ bos_token }}" if begins else "") + "{{ messages[0]['content'] }}"
    plain.response_template = None
    return plain
