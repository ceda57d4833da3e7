"""The watch over small runs of GRPO and PPO: what it records, what it puts back, how it goes on."""

import json
import shutil

import pytest
import torch
from datasets import Dataset
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import GRPOConfig

from hfllm import training
from hfllm.grpo.trainer import PracticeTrainer
from hfllm.ppo import PPOConfig, PPOTrainer
from hfllm.stages import grpo
from hfllm.watch import WatchConfig
from hfllm.watching import initial, kept
from hfllm.watching.callback import Watch, history
from tests import stand_in

QUESTIONS = [f"What is {n} + 1?" + " Tom lives in a small town." * (n % 2) for n in range(8)]
SETTINGS = {
    **{"use_cpu": True, "bf16": False, "gradient_checkpointing": False, "report_to": "none", "disable_tqdm": True},
    **{"per_device_train_batch_size": 8, "max_completion_length": 8, "max_steps": 4, "learning_rate": 1e-2},
    **{"per_device_eval_batch_size": 16, "num_generations_eval": 2, "eval_strategy": "steps", "eval_steps": 1},
    **{"logging_steps": 1, "save_strategy": "no", "eval_on_start": True, "dataloader_pin_memory": False},
}


def even(completion_ids, **_):
    return [sum(token % 2 == 0 for token in ids) / len(ids) for ids in completion_ids]


def rising(completion_ids, trainer_state, **_):
    """A proxy that rises with the steps, whatever is said."""
    return [trainer_state.global_step + len(set(ids)) / 100 for ids in completion_ids]


def falling(completion_ids, trainer_state, **_):
    """An audit that is best at step 1 and falls from then on."""
    return [-abs(trainer_state.global_step - 1) + len(set(ids)) / 100 for ids in completion_ids]


@pytest.fixture(scope="module")
def chat_model(tmp_path_factory):
    return str(stand_in.make(tmp_path_factory.mktemp("chat")))


def build(kind, model, folder, rewards=(even, falling), watch=None, **values):
    """A trainer with a watch; the first reward is trained on, the second one audits."""
    trainer_class, config = (PPOTrainer, PPOConfig) if kind == "ppo" else (PracticeTrainer, GRPOConfig)
    own = {"num_generations": 4, **grpo.DEFAULTS} if kind == "grpo" else {"num_ppo_epochs": 1}
    peft = values.pop("peft_config", None)
    rows = [{"prompt": [{"role": "user", "content": text}], "problem": n} for n, text in enumerate(QUESTIONS)]
    trainer = trainer_class(
        model=model,
        args=config(str(folder), **(SETTINGS | own | {"reward_weights": [1.0, 0.0]} | values)),
        reward_funcs=list(rewards),
        train_dataset=Dataset.from_list(rows),
        eval_dataset=Dataset.from_list(rows[:6]),  # 12 completions: less than a batch of 16
        processing_class=AutoTokenizer.from_pretrained(model if isinstance(model, str) else model.name_or_path),
        peft_config=peft,
    )
    watched = Watch(trainer, WatchConfig(**({"action": "observe", "best_of": None} | (watch or {}))))
    trainer.add_callback(watched)
    return trainer, watched


def alone(model, tokenizer, answer):
    """The summed log-probability of an answer, reckoned for one row without padding."""
    prompt = tokenizer.apply_chat_template(answer.prompt, add_generation_prompt=True, return_dict=False)
    ids = torch.tensor([prompt + answer.tokens])
    with torch.no_grad():
        logps = model(input_ids=ids).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
    return logps.gather(1, torch.tensor(answer.tokens)[:, None]).sum().item(), -(logps.exp() * logps).sum(1).mean()


@pytest.mark.parametrize(("kind", "values"), [("grpo", {"beta": 0.0}), ("grpo", {"beta": 0.1}), ("ppo", {})])
def test_an_evaluation_is_written_down_as_it_was(chat_model, tmp_path, kind, values):
    trainer, watched = build(kind, chat_model, tmp_path, max_steps=1, **values)
    trainer.train()
    before = history(trainer.state)[0]
    assert before.kl == pytest.approx(0, abs=1e-4)
    answers = watched.recorder.answers
    assert len(answers) == 12
    assert {answer.prompt[0]["content"] for answer in answers} == set(QUESTIONS[:6])
    first = AutoModelForCausalLM.from_pretrained(chat_model).eval()
    now, tokenizer = trainer.model.eval(), trainer.processing_class
    for answer in answers[:4]:
        logp, entropy = alone(now, tokenizer, answer)
        assert answer.logp == pytest.approx(logp, abs=1e-3)
        assert answer.entropy == pytest.approx(entropy.item(), abs=1e-4)
        assert answer.initial_logp == pytest.approx(alone(first, tokenizer, answer)[0], abs=1e-3)
        assert answer.rewards["even"] == pytest.approx(even([answer.tokens])[0])
        assert answer.truncated == (answer.tokens[-1] != tokenizer.eos_token_id)


def test_every_evaluation_draws_the_same_and_training_does_not_notice(chat_model, tmp_path):
    trainer, watched = build("grpo", chat_model, tmp_path)
    torch.manual_seed(7)
    trainer.evaluate()
    drawn = [answer.tokens for answer in watched.recorder.answers]
    state = torch.get_rng_state()
    torch.rand(3)
    trainer.evaluate()
    assert [answer.tokens for answer in watched.recorder.answers] == drawn
    torch.manual_seed(7)
    torch.testing.assert_close(torch.get_rng_state(), state)


@pytest.fixture
def adapter(chat_model, tmp_path):
    model = AutoModelForCausalLM.from_pretrained(chat_model)
    lora = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM", init_lora_weights=False)
    return get_peft_model(model, lora)


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_a_new_adapter_is_measured_from_its_base(chat_model, tmp_path, beta):
    lora = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    trainer, watched = build("grpo", chat_model, tmp_path, peft_config=lora, max_steps=1, beta=beta)
    trainer.train()
    assert history(trainer.state)[0].kl == pytest.approx(0, abs=1e-4)
    base = AutoModelForCausalLM.from_pretrained(chat_model).eval()
    for answer in watched.recorder.answers[:3]:
        assert answer.initial_logp == pytest.approx(alone(base, trainer.processing_class, answer)[0], abs=1e-3)


@pytest.mark.parametrize("beta", [0.0, 0.1])
def test_an_adapter_that_goes_on_is_measured_from_where_it_began(adapter, tmp_path, beta):
    trainer, watched = build("grpo", adapter, tmp_path, max_steps=1, beta=beta)
    first = {name: weight.clone() for name, weight in adapter.state_dict().items()}
    trainer.train()
    assert history(trainer.state)[0].kl == pytest.approx(0, abs=1e-4)
    changed = [name for name, weight in adapter.state_dict().items() if not torch.equal(weight, first[name])]
    assert changed
    now = [alone(adapter, trainer.processing_class, answer)[0] for answer in watched.recorder.answers[:3]]
    adapter.load_state_dict(first)
    before = [alone(adapter, trainer.processing_class, answer)[0] for answer in watched.recorder.answers[:3]]
    assert [answer.logp for answer in watched.recorder.answers[:3]] == pytest.approx(now, abs=1e-3)
    assert [answer.initial_logp for answer in watched.recorder.answers[:3]] == pytest.approx(before, abs=1e-3)


@pytest.mark.parametrize("kind", ["grpo", "ppo"])
def test_a_run_that_is_stopped_ends_with_the_best_weights(chat_model, tmp_path, kind, capsys):
    trainer, _ = build(kind, chat_model, tmp_path, (rising, falling), {"action": "stop"}, max_steps=9)
    numbers = training.train(trainer)
    # -1, 0, -1, -2, -3 smoothed by half: -1, -.5, -.75, -1.375; the spread is so small that any step is a fall
    assert "stopped at step 3, with the weights of step 1 put back" in capsys.readouterr().out
    assert numbers["steps"] == 3
    report = json.loads((tmp_path / "watch.json").read_text())
    assert report["events"] == [{"step": 3, "action": "stop"}]
    assert (report["best_step"], report["final_step"]) == (1, 1)
    assert "the audit falling lies" in report["reason"]
    saved, best = (load_file(folder / "model.safetensors") for folder in (tmp_path, tmp_path / "best"))
    assert set(saved) == set(best)
    assert all(torch.equal(saved[name], best[name]) for name in saved)
    assert not torch.equal(
        saved["model.norm.weight"], load_file(f"{chat_model}/model.safetensors")["model.norm.weight"]
    )
    entries = [entry for entry in trainer.state.log_history if "eval_reward" in entry]
    assert numbers["eval_reward"] == next(entry["eval_reward"] for entry in entries if entry["step"] == 1)
    for name in ("watch.png", "adversarial.jsonl"):
        assert (tmp_path / name).exists()
    pairs = [json.loads(line) for line in (tmp_path / "adversarial.jsonl").read_text().splitlines()]
    assert pairs
    assert all(pair["chosen_audit"] > pair["rejected_audit"] for pair in pairs)
    assert {"prompt", "chosen", "rejected"} <= set(pairs[0])


def test_an_observed_run_goes_on_and_says_when(chat_model, tmp_path, capsys):
    trainer, _ = build("grpo", chat_model, tmp_path, (rising, falling))
    training.train(trainer)
    assert "would have stopped at step 3" in capsys.readouterr().out
    assert trainer.state.global_step == 4
    report = json.loads((tmp_path / "watch.json").read_text())
    assert (report["best_step"], report["final_step"]) == (1, 4)
    assert [event["step"] for event in report["events"]] == [3, 4]


@pytest.mark.parametrize(("kind", "values"), [("grpo", {"beta": 0.1}), ("ppo", {"kl_coef": 0.1})])
def test_the_kl_is_raised_and_the_rule_starts_anew(chat_model, tmp_path, kind, values):
    watch = {"action": "raise_kl", "kl_factor": 3.0}
    trainer, _ = build(kind, chat_model, tmp_path, (rising, falling), watch, max_steps=6, **values)
    trainer.train()
    report = json.loads((tmp_path / "watch.json").read_text())
    assert [event["step"] for event in report["events"]] == [3, 5]  # 4 falls after step 3 only once
    assert (trainer.kl_coef if kind == "ppo" else trainer.beta) == pytest.approx(0.9)


def test_best_of_n_is_tried_before_the_first_step(chat_model, tmp_path):
    trainer, _ = build("grpo", chat_model, tmp_path, (even, even_negated), {"best_of": 8}, max_steps=1)
    trainer.train()
    report = json.loads((tmp_path / "watch.json").read_text())
    assert [point["n"] for point in report["best_of_n"]] == list(range(1, 9))
    proxies = [point["proxy"] for point in report["best_of_n"]]
    assert proxies == sorted(proxies)
    assert "even_negated falls" in report["warnings"][0]
    assert trainer.num_generations_eval == 2
    rows = (tmp_path / "watch" / "step-best-of-n.jsonl").read_text().splitlines()
    assert len(rows) == 6 * 8


def even_negated(completion_ids, **_):
    return [-value for value in even(completion_ids)]


@pytest.mark.parametrize("action", ["raise_kl", "stop"])
def test_a_run_that_goes_on_continues_exactly(chat_model, tmp_path, action):
    def go(folder):
        values = {"max_steps": 6, "save_strategy": "steps", "save_steps": 2, "beta": 0.1}
        watch = {"action": action, "best_of": 4}
        resumes = (tmp_path / folder).exists()
        trainer, _ = build(
            "grpo", chat_model, tmp_path / folder, (rising, falling), watch, eval_on_start=not resumes, **values
        )
        training.train(trainer)
        return trainer

    go("whole")
    go("cut")
    for step in (4, 6):  # as if it had been cut off behind step 2, after the answers of step 3 were written
        shutil.rmtree(tmp_path / "cut" / f"checkpoint-{step}", ignore_errors=True)
    trainer = go("cut")
    assert trainer.state.global_step == (3 if action == "stop" else 6)
    whole, cut = (json.loads((tmp_path / folder / "watch.json").read_text()) for folder in ("whole", "cut"))
    assert whole == cut
    for name in ("model.safetensors", "adversarial.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "cut" / name).read_bytes()


def test_a_stopped_run_whose_end_was_cut_off_does_not_train_on(chat_model, tmp_path):
    values = {"max_steps": 6, "save_strategy": "steps", "save_steps": 3}
    for _ in range(2):
        trainer, _ = build(
            "grpo",
            chat_model,
            tmp_path,
            (rising, falling),
            {"action": "stop"},
            eval_on_start=not any(tmp_path.iterdir()),
            **values,
        )
        training.train(trainer)
        assert trainer.state.global_step == 3
        saved, best = (load_file(folder / "model.safetensors") for folder in (tmp_path, tmp_path / "best"))
        assert all(torch.equal(saved[name], best[name]) for name in saved)
        (tmp_path / "model.safetensors").unlink()


def test_the_best_weights_are_never_torn(chat_model, tmp_path):
    trainer, _ = build("grpo", chat_model, tmp_path)
    kept.keep(trainer, 0)
    (tmp_path / "best").rename(tmp_path / "best.old")  # cut off before the new ones took the place
    assert kept.put_back(trainer) == 0
    kept.keep(trainer, 5)
    assert kept.put_back(trainer) == 5
    assert not (tmp_path / "best.old").exists()
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "best").num_parameters() > 0


def test_a_reference_that_follows_the_policy_is_no_initial_policy(chat_model, tmp_path):
    trainer, _ = build("grpo", chat_model, tmp_path, beta=0.1, sync_ref_model=True)
    assert initial.scorer(trainer).args[1] is not trainer.ref_model
    plain, _ = build("grpo", chat_model, tmp_path, beta=0.1)
    assert initial.scorer(plain).args[1] is plain.ref_model
