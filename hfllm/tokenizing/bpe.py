"""A tokenizer folder, read fast and checked hard: `tokenizers` and tiktoken; transformers only for the last check.

    encode = bpe.bulk_encoder("runs/tiny/tokenizer")
    ids = encode(["Hello world"])[0]  # uint32 array, no BOS, no EOS
    bpe.token_bytes("runs/tiny/tokenizer")[ids].sum()  # 11, the bytes of the text

Reads tokenizer.json, and tokenizer.tiktoken + tiktoken.json where hfllm trained the tokenizer (see bpe_training.py).

Source of the fast path: tiktoken encodes 4-5 times as many bytes per CPU-second as `tokenizers`, with the same ids."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import tiktoken
from tokenizers import Tokenizer

from hfllm.errors import UserMistake

RANKS_FILE = "tokenizer.tiktoken"  # one line a token: its bytes in base64, its id
EXPORT_FILE = "tiktoken.json"  # the other arguments of tiktoken.Encoding, and the fingerprint of tokenizer.json
SAVED_FILES = [
    *("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "chat_template.jinja"),
    *("vocab.json", "merges.txt"),
]

# What a wrong pre-tokenizer splits differently: digits, contractions, indentation, blank lines, scripts, emoji.
PROBE = (
    "In 1234567890 it wasn't DON'T,   so:\n\n\tdef f(x):\n        return 3.14159\r\n"
    " ÄÖÜß naïve 你好 नमस्ते 👩‍👩‍👧 <|im_end|> "
)

Encode = Callable[[list[str]], list[np.ndarray]]


def load(path: str) -> Tokenizer:
    """The tokenizer of a local folder or of a Hub id, in a tenth of the time that `AutoTokenizer` takes.

    Raises `UserMistake` when there is none, or when it is broken."""
    text = read(path, "tokenizer.json")
    if text is None:
        raise UserMistake(f"tokenizer {path!r}: there is no tokenizer.json.")
    try:
        return Tokenizer.from_str(text)
    except Exception as error:  # tokenizers raises no narrower kind
        raise UserMistake(f"tokenizer {path!r}: its tokenizer.json is broken: {error}") from error


def read(path: str, file: str) -> str | None:
    """The text of one file of a tokenizer's folder or Hub repository; None if it has no such file.

    Raises `UserMistake` when there is neither folder nor repository of that name."""
    folder = Path(path).expanduser()
    if folder.is_dir():
        return (folder / file).read_text(encoding="utf-8") if (folder / file).is_file() else None
    return _read_from_hub(path, file)


def special_tokens(tokenizer: Tokenizer) -> dict[int, str]:
    """{id: text} of the control tokens, such as {2032: "<|bos|>"}."""
    return {id: token.content for id, token in tokenizer.get_added_tokens_decoder().items() if token.special}


def bulk_encoder(folder: str) -> Encode:
    """The fastest exact way to turn many documents into ids: tiktoken if the folder has its export, else `tokenizers`.

    Text that spells a special token is plain text here: a document must not be able to end itself. No BOS, no EOS.
    Raises `UserMistake` if the folder's tiktoken export is not that of its tokenizer.json."""
    if not (Path(folder) / RANKS_FILE).is_file():
        return plain_encoder(folder)
    export = _read_export(folder)
    if export["file"] != file_digest(folder) and export["fingerprint"] != fingerprint(load(folder)):
        raise UserMistake(
            f"{folder}: {RANKS_FILE} is the export of another tokenizer than the tokenizer.json beside it.\n"
            f"  to mend it, delete {RANKS_FILE} (encoding gets slower), or train the tokenizer again."
        )
    return tiktoken_encoder(folder)


def plain_encoder(folder: str) -> Encode:
    """The slow, authoritative way: `tokenizers` itself."""
    tokenizer = load(folder)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True  # the library's name for: treat their text as plain text

    def encode(texts: list[str]) -> list[np.ndarray]:
        encodings = tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.array(encoding.ids, dtype=np.uint32) for encoding in encodings]

    return encode


def tiktoken_encoder(folder: str) -> Encode:
    """The fast way: the exported ranks in tiktoken, one thread a core.

    A call of tiktoken costs as much as a short document, so documents are joined by a special token and encoded in
    one call."""
    encoding = tiktoken_encoding(folder)
    mark, mark_id = next(iter(_read_export(folder)["special_tokens"].items()))

    def encode_joined(texts: list[str]) -> list[np.ndarray]:
        if any(mark in text for text in texts):  # a document may spell the mark: then each is encoded alone
            return [encoding.encode_to_numpy(text, disallowed_special=()) for text in texts]
        joined = "".join(text + mark for text in texts)
        ids = encoding.encode_to_numpy(joined, allowed_special={mark}, disallowed_special=())
        return [part[:-1] for part in np.split(ids, np.flatnonzero(ids == mark_id)[:-1] + 1)]

    def encode_part(texts: list[str]) -> list[np.ndarray]:
        try:
            return encode_joined(texts)
        except ValueError:  # its regular expressions run out of stack on hundreds of thousands of spaces in a row
            return plain_encoder(folder)(texts)

    def encode(texts: list[str]) -> list[np.ndarray]:
        cores = os.cpu_count() or 1
        size = -(-len(texts) // cores) or 1
        parts = [texts[start : start + size] for start in range(0, len(texts), size)]
        with ThreadPoolExecutor(cores) as pool:
            return list(chain.from_iterable(pool.map(encode_part, parts)))

    return encode


def tiktoken_encoding(folder: str) -> tiktoken.Encoding:
    """The tokenizer as a `tiktoken.Encoding`.

    Read by hand: `tiktoken.load.load_tiktoken_bpe` caches by path, and would bring back an earlier tokenizer."""
    lines = (Path(folder) / RANKS_FILE).read_bytes().splitlines()
    ranks = {base64.b64decode(token): int(id) for token, id in map(bytes.split, lines)}
    export = _read_export(folder)
    del export["fingerprint"], export["file"]
    return tiktoken.Encoding(Path(folder).name, mergeable_ranks=ranks, **export)


def file_digest(folder: str) -> str:
    """Of tokenizer.json to the letter: quick, but the same tokenizer, saved anew, may be written otherwise."""
    return hashlib.sha256((Path(folder) / "tokenizer.json").read_bytes()).hexdigest()


def fingerprint(tokenizer: Tokenizer) -> str:
    """Of what decides the ids: each token with its id, and where a text full of traps is cut."""
    vocabulary = sorted(tokenizer.get_vocab(with_added_tokens=True).items())
    return hashlib.sha256(json.dumps([vocabulary, _cuts(tokenizer)]).encode()).hexdigest()


def _read_export(folder: str) -> dict[str, Any]:
    return json.loads((Path(folder) / EXPORT_FILE).read_text(encoding="utf-8"))


def token_bytes(folder: str) -> np.ndarray:
    """How many bytes of text each id stands for, 0 for special tokens: (V,), int64.

    Bits per byte = loss in bits of the tokens / token_bytes[ids].sum(). Knows byte-level vocabularies (GPT-2, Llama 3,
    Qwen, ours: one character a byte) and SentencePiece ones (Gemma, Llama 2: "▁" is a space, "<0x0A>" a byte)."""
    tokenizer = load(folder)
    is_byte_level = "ByteLevel" in json.dumps(json.loads(tokenizer.to_str())["decoder"])
    added = tokenizer.get_added_tokens_decoder()
    vocabulary = tokenizer.get_vocab(with_added_tokens=True)
    lengths = np.zeros(max(vocabulary.values()) + 1, dtype=np.int64)  # (V,)
    for token, id in vocabulary.items():
        if id in added:
            lengths[id] = 0 if added[id].special else len(token.encode())
        elif is_byte_level:
            lengths[id] = len(token)
        else:
            lengths[id] = 1 if re.fullmatch("<0x[0-9A-F]{2}>", token) else len(token.replace("▁", " ").encode())
    return lengths


def check_reload(tokenizer_folder: str, model_type: str, texts: list[str]) -> None:
    """`AutoTokenizer` must give the ids of tokenizer.json also when a model's config.json lies beside it.

    For some model types transformers loads its own tokenizer class whatever the folder says (qwen2 in 5.23,
    models/auto/tokenization_auto.py): other ids, and decoding still round-trips, so that nothing looks wrong.
    Raises `UserMistake` when that happens."""
    from transformers import CONFIG_MAPPING, AutoTokenizer

    if model_type not in CONFIG_MAPPING:
        raise UserMistake(f"model_type {model_type!r}: transformers has no such model; write qwen3 or llama.")
    tokenizer = load(tokenizer_folder)
    with TemporaryDirectory() as beside:
        for file in SAVED_FILES:
            if (text := read(tokenizer_folder, file)) is not None:
                (Path(beside) / file).write_text(text, encoding="utf-8")
        (Path(beside) / "config.json").write_text(json.dumps({"model_type": model_type}))
        reloaded = AutoTokenizer.from_pretrained(beside)
    for text in [PROBE, *texts]:
        if tokenizer.encode(text).ids != reloaded(text)["input_ids"]:
            raise UserMistake(_swapped(tokenizer_folder, model_type, type(reloaded).__name__, "gives other ids"))
    # A small vocabulary can hide other cuts from the ids: 12|34 against 1|2|3|4 shows only if it has pairs of digits.
    if _cuts(tokenizer) != _cuts(reloaded.backend_tokenizer):
        raise UserMistake(_swapped(tokenizer_folder, model_type, type(reloaded).__name__, "cuts text at other places"))


def _cuts(tokenizer: Tokenizer) -> list[tuple[str, tuple[int, int]]]:
    return tokenizer.pre_tokenizer.pre_tokenize_str(PROBE) if tokenizer.pre_tokenizer else []


def _swapped(folder: str, model_type: str, loaded_class: str, difference: str) -> str:
    return (
        f"tokenizer {folder}: beside a config.json of model_type {model_type}, AutoTokenizer loads {loaded_class},\n"
        f"  which {difference} than tokenizer.json. transformers swaps the tokenizer of some model types, silently.\n"
        f"  to mend it, choose a model type that it leaves alone:   model_type: qwen3   (or llama)"
    )


def _read_from_hub(repository: str, file: str) -> str | None:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(hf_hub_download(repository, file)).read_text(encoding="utf-8")
    except (LocalEntryNotFoundError, RepositoryNotFoundError, HFValidationError) as error:
        raise UserMistake(
            f"tokenizer {repository!r}: no such folder, and its {file} is neither cached nor on the Hub."
        ) from error
    except EntryNotFoundError:
        return None
