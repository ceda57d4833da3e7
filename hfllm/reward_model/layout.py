"""How is a conversation laid out for a reward model? The same way when it is trained and when it is asked.

token_ids([user, assistant], tokenizer)      # by the chat template
token_ids("a whole text", tokenizer)         # one BOS where the tokenizer has it, and the end of text

The score is read at the last token, so a text gets its end, also one that a policy was cut off in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hfllm.errors import UserMistake
from hfllm.untrusted import control_tokens, neutral_message, neutralise

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Conversation = str | list[dict[str, Any]]  # plain text, or messages


def joined(prompt: Conversation, completion: Conversation) -> Conversation:
    """A prompt and what was answered, both text or both messages."""
    if isinstance(prompt, str) and isinstance(completion, str):
        return prompt + completion
    messages = [{"role": "user", "content": prompt}] if isinstance(prompt, str) and prompt else [*prompt]
    answer = [{"role": "assistant", "content": completion}] if isinstance(completion, str) else [*completion]
    return [*messages, *answer]


def token_ids(conversation: Conversation, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """The tokens of a whole conversation, ready for the model. Special tokens in its texts are made harmless.

    Raises UserMistake when messages come and the tokenizer has no chat template."""
    frame = control_tokens(tokenizer)
    if isinstance(conversation, str):
        ids = tokenizer(neutralise(conversation, frame))["input_ids"]
        return ids if ids and ids[-1] == tokenizer.eos_token_id else [*ids, tokenizer.eos_token_id]
    if tokenizer.chat_template is None:
        raise UserMistake(
            f"reward model {tokenizer.name_or_path}: it was trained on plain text and has no chat template, "
            "but it is asked about a conversation"
        )
    from jinja2 import TemplateError

    messages = [neutral_message(message, frame) for message in conversation]
    try:
        return tokenizer.apply_chat_template(messages, return_dict=False)
    except TemplateError as error:
        shown = ", ".join(f"{message['role']}: {str(message['content'])[:40]!r}" for message in messages)
        raise UserMistake(f"the chat template refuses a conversation: {error}\n  {shown}") from error


def length(completion: Conversation, tokenizer: PreTrainedTokenizerBase) -> int:
    """Tokens of an answer alone, without its frame."""
    said = completion if isinstance(completion, str) else "\n".join(str(one["content"]) for one in completion)
    return len(tokenizer(said, add_special_tokens=False)["input_ids"])
