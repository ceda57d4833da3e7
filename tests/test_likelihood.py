"""likelihood.py: against one full forward pass a pair, and against what probabilities must add up to."""

from math import exp, inf

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from hfllm.errors import UserMistake
from hfllm.likelihood import choose, log_likelihoods
from tests import stand_in

PAIRS = [
    ("Where does Tom live? Tom lives in", " a small town near the sea."),
    ("Where does Tom live? Tom lives in", " a"),
    ("Tom li", "ves in a small town."),  # the boundary lies inside a word
    ("The capital of Veland is ", "Brunn"),  # the space belongs to the next token
    ("Anna", " has 12 apples\nand gives 5 of them to Tom 🙂. 12 - 5 = 7"),
    ("Where does Tom live? Tom lives in", " the"),  # read once, together with " a"
    ("", "Tom lives in a small town."),
    ("system user assistant tool " * 9, "Tom"),
]


@pytest.fixture(scope="module", params=["llama", "gpt2"])
def model_and_tokenizer(request, tmp_path_factory):
    folder = stand_in.make(tmp_path_factory.mktemp("model"), shape=request.param)
    return AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)


def one_by_one(model, tokenizer, context, continuation):
    """Sum and number of log-probabilities, all logits, no padding, one pair at a time."""
    before, ids = tokenizer(context)["input_ids"], tokenizer(context + continuation)["input_ids"]
    start = next(index for index, token in enumerate(ids) if [*before, None][index] != token)
    with torch.no_grad():
        logps = model.eval()(torch.tensor([ids])).logits[0].log_softmax(-1)
    scored = range(start, len(ids))
    return sum(logps[index - 1, ids[index]].item() for index in scored), len(scored)


@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_the_same_as_one_by_one(model_and_tokenizer, batch_size):
    found = log_likelihoods(*model_and_tokenizer, PAIRS, batch_size)
    for (context, continuation), likelihood in zip(PAIRS, found, strict=True):
        logp, tokens = one_by_one(*model_and_tokenizer, context, continuation)
        assert likelihood.logp == pytest.approx(logp, abs=1e-4)
        assert (likelihood.tokens, likelihood.bytes) == (tokens, len(continuation.encode()))


def test_a_chain_of_continuations_adds_up(model_and_tokenizer):
    # P(b c | a) = P(b | a) P(c | a b), where the boundaries are boundaries of tokens
    whole, first, second = log_likelihoods(
        *model_and_tokenizer, [("Tom", " lives in"), ("Tom", " lives"), ("Tom lives", " in")]
    )
    assert whole.logp == pytest.approx(first.logp + second.logp, abs=1e-4)
    assert whole.tokens == first.tokens + second.tokens


def test_an_empty_continuation_is_certain(model_and_tokenizer):
    assert log_likelihoods(*model_and_tokenizer, [("Tom", ""), ("", "")]) == [(0, 0, 0), (0, 0, 0)]
    assert log_likelihoods(*model_and_tokenizer, [("Tom", ""), ("Tom", " lives")])[0] == (0, 0, 0)
    assert log_likelihoods(*model_and_tokenizer, []) == []


def test_a_model_in_training_is_measured_without_dropout_and_trains_on(model_and_tokenizer):
    model, tokenizer = model_and_tokenizer
    model.train()
    first, second = (log_likelihoods(model, tokenizer, PAIRS[:1])[0].logp for _ in range(2))
    assert first == second
    assert model.training


def words(room):
    """A model of 64 words, so that every token is a text, and a tokenizer without a token for the beginning."""
    vocabulary = {f"w{index}": index for index in range(64)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=64, max_position_embeddings=room, initializer_range=0.5, **sizes))
    return model, PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_the_probabilities_of_all_next_tokens_add_up_to_one():
    found = log_likelihoods(*words(64), [("w3 w1 w4", f" w{index}") for index in range(64)])
    assert sum(exp(likelihood.logp) for likelihood in found) == pytest.approx(1, abs=1e-5)
    assert max(likelihood.logp for likelihood in found) > -3.5  # each -log(64) = -4.16 if the model said nothing


def test_a_long_context_loses_its_beginning():
    model, tokenizer = words(8)
    context = [f"w{index}" for index in range(30)]
    long, short = log_likelihoods(
        model, tokenizer, [(" ".join(context), " w40 w41"), (" ".join(context[-7:]), " w40 w41")]
    )
    assert long == short  # 7 words and w40 are read, w41 is predicted by the last of them


def test_a_long_context_keeps_the_mark_of_the_beginning(tmp_path):
    folder = stand_in.make(tmp_path / "model", shape="llama")
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    ids = tokenizer("Tom lives in a small town. " * 100 + "Tom lives")["input_ids"]
    kept = [ids[0], *ids[-stand_in.CONTEXT :]]
    with torch.no_grad():
        expected = model(torch.tensor([kept[:-1]])).logits[0, -1].log_softmax(-1)[kept[-1]].item()
    found = log_likelihoods(model, tokenizer, [("Tom lives in a small town. " * 100 + "Tom", " lives")])[0]
    assert found.tokens == 1
    assert found.logp == pytest.approx(expected, abs=1e-4)


def test_a_continuation_that_does_not_fit_is_refused():
    with pytest.raises(UserMistake, match="9 tokens is longer than what the model can read: 8"):
        log_likelihoods(*words(8), [("w1 w2 w3", " w1 w2 w3 w4 w5 w6 w7 w8 w9")])
    assert log_likelihoods(*words(8), [("w1 w2 w3", " w1 w2 w3 w4 w5 w6 w7 w8")])[0].logp > -inf


def test_without_a_context_the_tokenizer_must_have_a_beginning():
    with pytest.raises(UserMistake, match="bos_token"):
        log_likelihoods(*words(8), [("", "w1")])


def test_the_likeliest_choice_is_taken_by_sum_or_by_byte(model_and_tokenizer):
    rows = [{"context": "Tom lives", "continuations": [" in a small town near the sea.", " in", " twelve apples"]}] * 3
    found = log_likelihoods(*model_and_tokenizer, [("Tom lives", text) for text in rows[0]["continuations"]])
    sums = [likelihood.logp for likelihood in found]
    by_byte = [likelihood.logp / (likelihood.bytes - 1) for likelihood in found]  # the joining space does not count
    assert choose(*model_and_tokenizer, rows, normalise=None) == [sums.index(max(sums))] * 3
    assert choose(*model_and_tokenizer, rows) == [by_byte.index(max(by_byte))] * 3
    assert sums.index(max(sums)) == 1  # by their sum, long choices have no chance with a model that knows nothing


def test_rows_may_have_different_numbers_of_choices():
    model, tokenizer = words(64)
    texts = [f" w{index}" for index in range(10)]
    likeliest = choose(model, tokenizer, [{"context": "w9", "continuations": texts}])[0]
    rows = [{"context": "w9", "continuations": [texts[likeliest], *texts[:count]]} for count in range(5)]
    assert choose(model, tokenizer, rows, batch_size=2) == [0] * 5
