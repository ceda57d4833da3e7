"""Rankings as token ids and the trainer on them: the loss by hand, and that batching changes nothing."""

from __future__ import annotations

import pytest
import torch
from datasets import Dataset
from torch.nn.functional import logsigmoid
from transformers import AutoTokenizer
from trl import RewardConfig, RewardTrainer

from hfllm import preferences
from hfllm.reward_model import rows, scorer
from hfllm.reward_model.trainer import RankingCollator, RankingTrainer
from tests import stand_in

RANKINGS = [
    {"prompt": "Who?", "responses": ["Tom.", "Anna lives in a small town.", "A town.", "12"], "rank": [1, 2, 2, 3]},
    {"prompt": "What is it?", "responses": ["7", "It is the capital of Veland."], "rank": [2, 1]},
    {"prompt": "Where?", "responses": ["Near the sea.", "Tom?", "No."], "rank": [1, 2, 3]},
]
SETTINGS = {
    **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "dataloader_pin_memory": False},
    **{"max_steps": 2, "logging_steps": 1, "save_strategy": "no", "optim": "sgd", "learning_rate": 0.1},
    **{"report_to": "none", "lr_scheduler_type": "constant", "max_grad_norm": 1e9},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return stand_in.make(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def tokenizer(folder):
    return AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module")
def pairs():
    return preferences.pairs(Dataset.from_list(RANKINGS), "mine.jsonl [train]")


@pytest.fixture(scope="module")
def encoded(pairs, tokenizer):
    return rows.encode(pairs, tokenizer, None, "mine.jsonl [train]")


@pytest.fixture
def trainer(folder, tokenizer, encoded, tmp_path):
    def make(data=encoded, **values):
        return RankingTrainer(
            model=str(folder),
            args=RewardConfig(str(tmp_path), **(SETTINGS | values)),
            train_dataset=data,
            eval_dataset=data,
            processing_class=tokenizer,
        )

    return make


def test_a_row_is_a_ranking_whose_answers_stand_once(encoded):
    assert [len(row["answers"]) for row in encoded] == [4, 2, 3]
    # ranks 1, 2, 2, 3: five pairs of six, for the two in the middle are tied
    assert list(zip(encoded[0]["better"], encoded[0]["worse"], strict=True)) == [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)]
    assert encoded["weight"][:] == [1.0, 1.0, 1.0]
    assert encoded[0]["length"] == sum(map(len, encoded[0]["answers"]))


def test_a_large_ranking_is_cut_into_rows_that_weigh_1_together(tokenizer):
    many = {"prompt": "Who?", "responses": [str(n) for n in range(12)], "rank": list(range(12))}
    cut = rows.encode(preferences.pairs(Dataset.from_list([many]), "x"), tokenizer, None, "x")
    assert max(len(row["answers"]) for row in cut) <= rows.MOST_ANSWERS
    assert rows.count_pairs(cut) == 66
    assert sum(cut["weight"]) == pytest.approx(1)


def test_held_out_prompts_keep_all_their_pairs(pairs):
    train, held_out = rows.hold_out(pairs, 0.34, seed=0, place="x")
    assert len(train) + len(held_out) == len(pairs)
    assert not set(train["ranking"]) & set(held_out["ranking"])
    assert len(set(held_out["ranking"])) == 1
    assert rows.hold_out(pairs, 0.34, seed=0, place="x")[1]["ranking"][:] == held_out["ranking"][:]


def test_the_loss_is_the_mean_over_rankings_of_the_mean_over_pairs(trainer, encoded):
    made = trainer(per_device_eval_batch_size=2)
    with torch.no_grad():
        scores = [[made.model(torch.tensor([ids])).logits.item() for ids in row["answers"]] for row in encoded]
    by_hand = [
        sum(-logsigmoid(torch.tensor(one[i] - one[j])).item() for i, j in zip(row["better"], row["worse"], strict=True))
        / len(row["better"])
        for one, row in zip(scores, encoded, strict=True)
    ]
    made.model.eval()
    assert made.compute_loss(made.model, one_batch(made, encoded)).item() == pytest.approx(sum(by_hand) / 3, rel=1e-4)
    metrics = made.evaluate()
    assert metrics["eval_loss"] == pytest.approx(sum(by_hand) / 3, rel=1e-4)
    judged = made.judge()
    assert [list(one.scores) for one in judged] == [pytest.approx(one, abs=1e-4) for one in scores]
    right = [
        one[i] > one[j]
        for one, row in zip(scores, encoded, strict=True)
        for i, j in zip(row["better"], row["worse"], strict=True)
    ]
    assert metrics["eval_accuracy"] == pytest.approx(sum(right) / len(right))


def one_batch(trainer, data):
    return RankingCollator(trainer.processing_class.pad_token_id)([{**row, "number": n} for n, row in enumerate(data)])


def test_the_loss_of_an_evaluation_is_that_of_training_also_of_a_ranking_that_was_cut(trainer, tokenizer):
    many = {"prompt": "Who?", "responses": [str(n) for n in range(12)], "rank": list(range(12))}
    data = rows.encode(preferences.pairs(Dataset.from_list([many, *RANKINGS]), "x"), tokenizer, None, "x")
    assert len(set(data["weight"])) > 1
    made = trainer(data, per_device_eval_batch_size=2)
    made.model.eval()
    with torch.no_grad():
        loss = made.compute_loss(made.model, one_batch(made, data)).item()
    assert made.evaluate()["eval_loss"] == pytest.approx(loss, rel=1e-4)


def test_a_tie_is_half_right_in_training_as_in_an_evaluation(trainer, encoded):
    made = trainer()
    made.model.score.weight.data.zero_()  # every answer has the score 0
    made.compute_loss(made.model, one_batch(made, encoded))
    assert made._metrics["train"]["accuracy"] == [0.5]
    assert made.evaluate()["eval_accuracy"] == 0.5


def test_with_one_pair_a_row_it_is_trls_loss(folder, tokenizer, tmp_path):
    data = Dataset.from_list([{"prompt": f"{n}?", "responses": ["Tom.", "A town."], "rank": [1, 2]} for n in range(4)])
    alone = preferences.pairs(data, "x")
    settings = RewardConfig(str(tmp_path), center_rewards_coefficient=0.1, **SETTINGS)
    ours = RankingTrainer(
        model=str(folder),
        args=settings,
        processing_class=tokenizer,
        train_dataset=rows.encode(alone, tokenizer, None, "x"),
    )
    theirs = RewardTrainer(model=str(folder), args=settings, processing_class=tokenizer, train_dataset=alone)
    losses = []
    for trainer in (ours, theirs):
        batch = next(iter(trainer.get_train_dataloader()))
        trainer.model.eval()
        losses.append(trainer.compute_loss(trainer.model, batch).item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


@pytest.mark.parametrize("sampling", ["random", "group_by_length"])
def test_small_batches_gathered_up_are_one_large_one(trainer, sampling):
    weights = []
    for size, accumulation in ((3, 1), (1, 3)):
        made = trainer(
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulation,
            train_sampling_strategy=sampling,
        )
        made.train()
        weights.append(made.model.state_dict())
    for name, tensor in weights[0].items():
        torch.testing.assert_close(tensor, weights[1][name], rtol=1e-4, atol=1e-6)


def test_batches_hold_every_row_once_and_are_bounded():
    lengths = [5, 300, 7, 9000, 20, 9000, *[10] * 100]
    made = scorer.batches(lengths)
    assert sorted(row for batch in made for row in batch) == list(range(len(lengths)))
    for batch in made:
        assert len(batch) <= scorer.ROWS
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= scorer.TOKENS
