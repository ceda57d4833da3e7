"""The recipes of llama-3.1-8b on a small Llama of random weights: every one takes two steps, with adapters."""

import json

import pytest

from hfllm import keys, places, recipe
from tests import stand_in

FOLDER = places.folder("recipes") / "llama-3.1-8b"
SMALL = {"bf16": False, "dtype": "float32", "max_steps": 2, "logging_steps": 1, "save_steps": 2, "warmup_steps": 0}


def conversation(question, answer):
    return [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]


# HuggingFaceH4/ultrafeedback_binarized as its card describes it: the prompt is text, and both sides begin with it
ROWS = [
    {
        "prompt": f"What is {n}?",
        "prompt_id": str(n),
        "chosen": conversation(f"What is {n}?", f"It is {n}."),
        "rejected": conversation(f"What is {n}?", "No."),
        "messages": conversation(f"What is {n}?", f"It is {n}."),
        "score_chosen": 8.0,
        "score_rejected": 5.0,
    }
    for n in range(16)
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A model, and data with the splits of UltraFeedback."""
    made = tmp_path_factory.mktemp("llama")
    stand_in.make(made / "model", shape="llama")
    (made / "data").mkdir()
    for part in ("prefs", "gen"):
        for split, rows in (("train", ROWS[:12]), ("test", ROWS[12:])):
            lines = "".join(json.dumps(row) + "\n" for row in rows)
            (made / "data" / f"{split}_{part}.jsonl").write_text(lines)
    return made


def run(name, folder, **changes):
    """The stage of a recipe, with the stand-in model and data."""
    written = recipe.read(FOLDER / f"{name}.yaml").values
    local = {
        key: [{**entry, "path": str(folder / "data" / f"{entry['split']}.jsonl"), "rows": 4} for entry in written[key]]
        for key in ("datasets", "eval_datasets")
    }
    for entry in local["datasets"]:
        entry["rows"] = 12
    changes = {
        **SMALL,
        **local,
        "output_dir": str(folder / name),
        "model_name_or_path": str(folder / "model"),
        **changes,
    }
    words = [word for key, value in changes.items() for word in (f"--{key}", json.dumps(value))]
    one = recipe.read(FOLDER / f"{name}.yaml", words)
    one.complain()
    main = keys.module_of_stage(one.stage).main
    return main(**recipe.arguments(main, one))


@pytest.mark.parametrize("suffix", ["", "-8gpu"])
def test_a_reward_model_and_ppo_against_it_take_two_steps(folder, suffix):
    numbers = run(f"reward{suffix}", folder, per_device_train_batch_size=4, gradient_accumulation_steps=1)
    assert numbers["steps"] == 2
    assert (folder / f"reward{suffix}" / "adapter_model.safetensors").exists()
    rewards = {str(folder / f"reward{suffix}"): {"normalised": True}, "repetition": {"weight": 0.0}}
    numbers = run(
        f"ppo{suffix}",
        folder,
        rewards=rewards,
        watch={"best_of": 2},
        max_completion_length=6,
        per_device_train_batch_size=2,
        gradient_accumulation_steps=1,
        num_mini_batches=2,
        num_ppo_epochs=1,
        per_device_eval_batch_size=4,
        critic_warmup_steps=0,
        eval_steps=2,
    )
    assert numbers["steps"] == 2
    assert (folder / f"ppo{suffix}" / "critic.safetensors").exists()


@pytest.mark.parametrize(
    ("name", "launch"), [("reward", None), ("ppo", None), ("reward-8gpu", "fsdp2"), ("ppo-8gpu", "fsdp2")]
)
def test_the_batches_are_what_the_comments_say(name, launch):
    values = recipe.read(FOLDER / f"{name}.yaml").values
    gpus = 8 if launch else 1
    assert values.get("launch") == launch
    step = gpus * values["per_device_train_batch_size"] * values.get("gradient_accumulation_steps", 1)
    text = (FOLDER / f"{name}.yaml").read_text()
    if name.startswith("reward"):
        assert f"{step} pairs a step" in text
    else:
        generation = step * values["num_mini_batches"]
        assert f"# {generation} answers a generation, {step} a step" in text
        assert f"# {values['num_ppo_epochs'] * values['num_mini_batches']} steps on them" in text
        assert generation // gpus == 64  # drawn at once on a GPU, in the reckoning of its memory
