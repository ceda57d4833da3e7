"""Byte-level BPE: learn a vocabulary from text, and write the folder that `AutoTokenizer`, tiktoken and hfllm read.

    tokenizer = bpe_training.train(batches_of_texts, vocab_size=32768, pattern=split_pattern("cl100k", max_digits=2))
    bpe_training.save(tokenizer, "runs/mine/tokenizer")

Writes tokenizer.json, tokenizer_config.json, chat_template.jinja, tokenizer.tiktoken, tiktoken.json, token_bytes.json.

Source: Sennrich et al. 2016 (arXiv 1508.07909, section 3.2), over bytes as in GPT-2 (Radford et al. 2019, 2.2)."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers

from hfllm import places
from hfllm.errors import UserMistake
from hfllm.tokenizing import bpe

# Text is cut into pieces by a pattern, and no token crosses a cut.
# cl100k (GPT-4) as nanochat writes it: OpenAI's own string has `\p{N}{1,3}+`, where tiktoken reads the plus as "do not
# give back" and `tokenizers` as "again and again": 1234567890 is four pieces for the one, one piece for the other.
PATTERNS = {
    "cl100k": (
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,DIGITS}"
        r"| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+"
    ),
    "gpt2": r"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
}

NAMED_TOKENS = {"bos_token": "<|bos|>", "eos_token": "<|eos|>", "pad_token": "<|pad|>"}
CHAT_TOKENS = ["<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
THINK_TOKENS = ["<think>", "</think>"]

TEMPLATES = places.PACKAGE / "templates"
NO_LIMIT = 1_000_000  # tokens; the model knows its own limit, and the pretraining stage writes it


def split_pattern(name: str, max_digits: int) -> str:
    """The regular expression `name` of `PATTERNS`, with numbers cut into groups of at most `max_digits`."""
    return PATTERNS[name].replace("DIGITS", str(max_digits))


def default_max_digits(vocab_size: int) -> int:
    """2 up to 32,768 tokens, 3 above: bits per byte .969 with 1, .965 with 2, .972 with 3 (nanochat, dev/LOG.md)."""
    return 2 if vocab_size <= 32_768 else 3


def all_special_tokens(reserved: int) -> list[str]:
    """Every control token a later stage may want, from the start: no stage ever has to resize an embedding."""
    named = [*NAMED_TOKENS.values(), *CHAT_TOKENS, *THINK_TOKENS]
    return [*named, *(f"<|reserved_{number}|>" for number in range(reserved))]


def train(batches: Iterable[list[str]], vocab_size: int, pattern: str, reserved: int) -> Tokenizer:
    """Learn exactly `vocab_size` tokens, the special ones included and last.

    Raises `UserMistake` when the text has too few different pieces for so many."""
    specials = all_special_tokens(reserved)
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = _cut_at(pattern)
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(specials),
        min_frequency=2,  # a pair seen once says nothing about other text
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),  # all 256 bytes: no text is ever unknown
        show_progress=False,
    )
    tokenizer.train_from_iterator(batches, trainer)
    learned = tokenizer.get_vocab_size() + len(specials)
    if learned < vocab_size:
        raise UserMistake(
            f"vocab_size {vocab_size}: the text gives only {learned} tokens that occur more than once.\n"
            f"  to mend it, give more text, or write   vocab_size: {learned // 64 * 64}"
        )
    return _with_special_tokens(tokenizer, specials)


def save(tokenizer: Tokenizer, folder: str) -> None:
    """Write the tokenizer folder."""
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(target / "tokenizer.json"))
    (target / "tokenizer_config.json").write_text(json.dumps(_tokenizer_config(tokenizer), indent=2) + "\n")
    (target / "chat_template.jinja").write_text((TEMPLATES / "chatml.jinja").read_text())
    _save_tiktoken(tokenizer, target)
    (target / "token_bytes.json").write_text(json.dumps(bpe.token_bytes(folder).tolist()) + "\n")


def check(folder: str, texts: list[str]) -> None:
    """The two encoders of the folder agree on `texts`, and decoding brings the text back; `RuntimeError` if not."""
    tokenizer = bpe.load(folder)
    plain, fast = bpe.plain_encoder(folder), bpe.tiktoken_encoder(folder)
    texts = [bpe.PROBE, *texts]
    for text, ids, fast_ids in zip(texts, plain(texts), fast(texts), strict=True):
        if not np.array_equal(ids, fast_ids):
            raise RuntimeError(f"{folder}: different ids for {_first_difference(ids, fast_ids)}")
        if tokenizer.decode(ids.tolist(), skip_special_tokens=False) != text:
            raise RuntimeError(f"{folder}: decoding does not bring back the text {text[:80]!r}...")


def _cut_at(pattern: str) -> pre_tokenizers.PreTokenizer:
    cut = pre_tokenizers.Split(Regex(pattern), behavior="isolated")
    return pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def _with_special_tokens(learned: Tokenizer, specials: list[str]) -> Tokenizer:
    """The finished tokenizer: special tokens at the end of the vocabulary, so that ids below are tiktoken's ranks."""
    model = json.loads(learned.to_str())["model"]
    vocabulary: dict[str, int] = model["vocab"]
    merges = [tuple(pair) for pair in model["merges"]]
    if len(merges) != len(vocabulary) - 256:
        raise RuntimeError("a token can be reached by two merges, so tiktoken's ranks cannot express this vocabulary")
    for token in specials:
        vocabulary[token] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = learned.pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in specials])
    # BOS before every text, EOS never: a prompt that ends in EOS is a prompt that says "stop"
    bos = NAMED_TOKENS["bos_token"]
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", pair=f"{bos} $A {bos}:1 $B:1", special_tokens=[(bos, vocabulary[bos])]
    )
    return tokenizer


def _tokenizer_config(tokenizer: Tokenizer) -> dict[str, object]:
    named = set(NAMED_TOKENS.values())
    return {
        # the name that transformers 4 and 5, llama.cpp and mlx-lm all know; 5 itself would write TokenizersBackend
        "tokenizer_class": "PreTrainedTokenizerFast",
        **NAMED_TOKENS,
        "extra_special_tokens": [token for token in bpe.special_tokens(tokenizer).values() if token not in named],
        "add_bos_token": True,
        "clean_up_tokenization_spaces": False,
        "model_max_length": NO_LIMIT,
        "model_input_names": ["input_ids", "attention_mask"],
        "response_template": json.loads((TEMPLATES / "chatml.response.json").read_text()),
    }


def _save_tiktoken(tokenizer: Tokenizer, target: Path) -> None:
    """tokenizer.json spells each byte as one printable character; tiktoken wants the bytes."""
    specials = {token: id for id, token in bpe.special_tokens(tokenizer).items()}
    byte_of = _bytes_of_characters()
    learned = sorted((id, token) for token, id in tokenizer.get_vocab().items() if token not in specials)
    lines = [base64.b64encode(bytes(byte_of[c] for c in token)) + b" %d\n" % id for id, token in learned]
    (target / bpe.RANKS_FILE).write_bytes(b"".join(lines))
    pattern = json.loads(tokenizer.to_str())["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    export = {
        "pat_str": pattern,
        "special_tokens": specials,
        "explicit_n_vocab": tokenizer.get_vocab_size(),
        "fingerprint": bpe.fingerprint(tokenizer),
        "file": bpe.file_digest(str(target)),
    }
    (target / bpe.EXPORT_FILE).write_text(json.dumps(export, indent=2) + "\n", encoding="utf-8")


def _bytes_of_characters() -> dict[str, int]:
    """GPT-2's byte-level alphabet (its encoder.py): printable Latin-1 as it is, the rest from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}


def _first_difference(ids: np.ndarray, other: np.ndarray) -> str:
    shared = min(len(ids), len(other))
    place = int(np.argmax(np.append(ids[:shared] != other[:shared], True)))
    return f"token {place}: tokenizers {ids[place : place + 4]}, tiktoken {other[place : place + 4]}"
