"""The tokenizer stage: vocabulary, special tokens, the two encoders, reloading through transformers."""

import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoTokenizer

from hfllm import data
from hfllm.errors import UserMistake
from hfllm.stages import tokenizer as stage
from hfllm.tokenizing import bpe, bpe_training

ODD_TEXTS = [
    "",
    " ",
    "\n\n\n   \t",
    "1234567890 12 1 and ½ Ⅻ ٣٤",
    "a<|im_end|>b<|bos|><think>",
    "DON'T it's we'll l'été",
    "    def f(x):\n\t\treturn x\r\n",
    "你好 नमस्ते 👩‍👩‍👧 e\u0301 \x00\x1b \u200b\ufeff",
    "x" * 1000 + "!" * 1000,
]


def documents(number: int) -> list[str]:
    chance = random.Random(0)
    words = ["".join(chance.choices("abcdefghiklmnoprstuvw", k=chance.randint(2, 8))) for _ in range(300)]
    ending = "and\n\tso it's 你好."
    return [" ".join([*chance.choices(words, k=40), str(chance.randint(10, 9999)), ending]) for _ in range(number)]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("corpus") / "documents.jsonl"
    file.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents(200)))
    return file


@pytest.fixture(scope="module")
def trained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict]:
    folder = str(tmp_path_factory.mktemp("run") / "tokenizer")
    return folder, stage.main(config(folder, corpus))


def config(folder: str | Path, corpus: Path, **keys: object) -> stage.TokenizerConfig:
    return stage.TokenizerConfig(str(folder), [data.DatasetConfig(str(corpus))], **{"vocab_size": 512, **keys})


def test_the_vocabulary_has_exactly_the_size_of_the_recipe(trained: tuple[str, dict]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    assert tokenizer.vocab_size == len(tokenizer) == 512 == trained[1]["vocab_size"]
    # 11 named special tokens and 5 reserved ones stand at the end
    assert sorted(bpe.special_tokens(bpe.load(trained[0]))) == list(range(512 - 16, 512))


def test_bos_before_every_text_and_eos_never(trained: tuple[str, dict]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    ids = tokenizer("so it's")["input_ids"]
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.decode(ids[1:]) == "so it's"
    assert len({tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id}) == 3
    assert (tokenizer.bos_token, tokenizer.eos_token, tokenizer.pad_token) == ("<|bos|>", "<|eos|>", "<|pad|>")


def test_saved_again_by_transformers_it_gives_the_same_ids(trained: tuple[str, dict], tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(trained[0])
    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert [again(text)["input_ids"] for text in ODD_TEXTS] == [tokenizer(text)["input_ids"] for text in ODD_TEXTS]
    assert again.response_template == tokenizer.response_template
    assert again.chat_template == tokenizer.chat_template


def test_both_encoders_agree_and_lose_nothing(trained: tuple[str, dict]) -> None:
    texts = [*ODD_TEXTS, *documents(20)]
    fast, plain = bpe.tiktoken_encoder(trained[0])(texts), bpe.plain_encoder(trained[0])(texts)
    assert [ids.tolist() for ids in fast] == [ids.tolist() for ids in plain]
    decode = bpe.load(trained[0]).decode
    assert [decode(ids, skip_special_tokens=False) for ids in plain] == texts


def test_a_document_cannot_contain_special_tokens(trained: tuple[str, dict], tmp_path: Path) -> None:
    without_export = Path(shutil.copytree(trained[0], tmp_path / "plain"))
    (without_export / bpe.RANKS_FILE).unlink()
    for folder in (trained[0], str(without_export)):
        ids = bpe.bulk_encoder(folder)(["a<|im_end|>b<|bos|>"])[0]
        assert ids.max() < 512 - 16


def test_a_million_spaces_do_not_stop_the_fast_encoder(trained: tuple[str, dict]) -> None:
    ids = bpe.bulk_encoder(trained[0])([" " * 1_000_000])[0]  # more than the regular expressions of tiktoken can hold
    assert bpe.token_bytes(trained[0])[ids].sum() == 1_000_000


def test_an_export_of_another_tokenizer_is_refused(trained: tuple[str, dict], corpus: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trained[0], tmp_path / "mixed"))
    stage.main(config(tmp_path / "other", corpus, vocab_size=448))
    shutil.copy(tmp_path / "other" / "tokenizer.json", folder)
    with pytest.raises(UserMistake, match=r"delete tokenizer\.tiktoken"):
        bpe.bulk_encoder(str(folder))
    with pytest.raises(RuntimeError, match="different ids"):
        bpe_training.check(str(folder), documents(5))


def test_numbers_are_cut_into_short_groups() -> None:
    cut = pre_tokenizers.Split(Regex(bpe_training.split_pattern("cl100k", 2)), behavior="isolated")
    assert [piece for piece, _ in cut.pre_tokenize_str("in 12345")] == ["in", " ", "12", "34", "5"]
    # why OpenAI's own string is not used: `tokenizers` repeats what tiktoken forbids to give back
    trap = pre_tokenizers.Split(Regex(r"\p{N}{1,3}+"), behavior="isolated")
    assert [piece for piece, _ in trap.pre_tokenize_str("1234567890")] == ["1234567890"]
    assert [bpe_training.default_max_digits(size) for size in (2_048, 32_768, 32_832)] == [2, 2, 3]


def test_gpt2_pattern_and_single_digits_can_be_chosen(corpus: Path, tmp_path: Path) -> None:
    stage.main(config(tmp_path / "gpt2", corpus, pattern="gpt2"))
    stage.main(config(tmp_path / "single", corpus, max_digits=1))
    tokens = bpe.load(str(tmp_path / "single")).get_vocab()
    assert not [token for token in tokens if token.isdigit() and len(token) > 1]


def test_token_bytes_add_up_to_the_bytes_of_the_text(trained: tuple[str, dict]) -> None:
    lengths, encode = bpe.token_bytes(trained[0]), bpe.plain_encoder(trained[0])
    assert [lengths[ids].sum() for ids in encode(ODD_TEXTS)] == [len(text.encode()) for text in ODD_TEXTS]
    assert lengths[512 - 16 :].tolist() == [0] * 16
    assert json.loads((Path(trained[0]) / "token_bytes.json").read_text()) == lengths.tolist()


def test_token_bytes_of_a_sentencepiece_vocabulary(tmp_path: Path) -> None:
    vocabulary = {"<bos>": 0, "▁a": 1, "<0x0A>": 2, "é": 3}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(["<bos>"])
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert bpe.token_bytes(str(tmp_path)).tolist() == [0, 2, 1, 2]  # " a", a newline, the two bytes of é


def test_bytes_per_token_are_those_of_held_out_text(trained: tuple[str, dict], corpus: Path) -> None:
    held_out = documents(200)[49::50]
    tokens = sum(map(len, bpe.plain_encoder(trained[0])(held_out)))
    size = sum(len(text.encode()) for text in held_out)
    assert trained[1]["bytes_per_token"] == round(size / tokens, 3)
    assert trained[1]["bytes_per_token_of"] == {f"{corpus} [train]": round(size / tokens, 3)}
    assert trained[1]["held_out_bytes"] == size


def test_a_model_type_whose_tokenizer_transformers_swaps_is_refused(trained: tuple[str, dict]) -> None:
    for kept in ("qwen3", "llama", "gpt2"):
        bpe.check_reload(trained[0], kept, ODD_TEXTS)
    with pytest.raises(UserMistake, match="Qwen2Tokenizer"):
        bpe.check_reload(trained[0], "qwen2", [])
    with pytest.raises(UserMistake, match="no such model"):
        bpe.check_reload(trained[0], "qwen33", [])


@pytest.mark.parametrize(
    ("keys", "advice"),
    [
        ({"vocab_size": 1000}, "vocab_size: 1024"),
        ({"vocab_size": 128}, "vocab_size: 320"),  # 256 bytes + 16 special tokens = 272, rounded up to 320
        ({"vocab_size": 65_536}, "give more text, or write   vocab_size: "),
        ({"max_digits": 0}, "expected 1 or more"),
        ({"model_type": "qwen2"}, "model_type: qwen3"),
    ],
)
def test_mistakes_come_with_advice(keys: dict, advice: str, corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserMistake, match=advice):
        stage.main(config(tmp_path, corpus, **keys))


def test_one_document_is_not_enough(tmp_path: Path) -> None:
    (tmp_path / "one.jsonl").write_text('{"text": "alone"}\n')
    with pytest.raises(UserMistake, match="one document only"):
        stage.main(config(tmp_path, tmp_path / "one.jsonl"))


def test_too_much_text_is_thinned_evenly_and_held_out_text_is_never_seen() -> None:
    from datasets import Dataset

    many = Dataset.from_dict({"text": [f"m{row:09d}" for row in range(900)]})
    few = Dataset.from_dict({"text": [f"f{row:09d}" for row in range(100)]})
    seen = [text for batch in stage._training_batches([many, few], max_characters=5_000) for text in batch]
    # 10,000 characters in all, 5,000 allowed: every second document of each, save the fiftieth ones
    assert sum(text[0] == "m" for text in seen) == 450 - 18
    assert sum(text[0] == "f" for text in seen) == 50 - 2
    assert not [text for text in seen if int(text[1:]) % 50 == 49]
    everything = [text for batch in stage._training_batches([few], max_characters=10**9) for text in batch]
    assert len(everything) == 98


def test_ids_are_small_numpy_integers(trained: tuple[str, dict]) -> None:
    for encode in (bpe.bulk_encoder(trained[0]), bpe.plain_encoder(trained[0])):
        assert [ids.dtype for ids in encode(["a", ""])] == [np.uint32, np.uint32]


def test_documents_that_spell_the_mark_between_documents_are_encoded_alone(trained):
    folder, _ = trained
    encode, plain = bpe.bulk_encoder(folder), bpe.plain_encoder(folder)
    texts = ["one", "", "a <|bos|> b", "two <|eos|>", "  ", "three\n", *["x"] * 9]
    assert [ids.tolist() for ids in encode(texts)] == [ids.tolist() for ids in plain(texts)]
    assert encode([]) == []
