"""The watch itself: measures at every evaluation, judges, acts, and writes what it saw.

All that it remembers stands in the trainer's log_history, which checkpoints hold: a run that goes on continues exactly.
Every process sees the same completions and comes to the same verdict."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from transformers import TrainerCallback, TrainerControl, TrainerState

from hfllm.ppo.trainer import PPOTrainer
from hfllm.watch import WatchConfig, label
from hfllm.watching import adversarial, answers, best_of_n, independence, kept, measures, picture, rules
from hfllm.watching.measures import Measurement
from hfllm.watching.recorder import Recorder

if TYPE_CHECKING:
    from transformers import TrainingArguments

    from hfllm.grpo.trainer import PracticeTrainer

TOLD = "watch.json and watch.png in the run folder say what it saw"
BEST_OF_N = "best-of-n"  # the answers before training, as a file of answers
RESTORED = "restored"  # in the log: the evaluation of this step is that of the weights which were put back


class Watch(TrainerCallback):
    """Entries of log_history: {"step": 0, "best_of_n": [...]} once, {"step": n, "watch": {...}} an evaluation."""

    def __init__(self, trainer: PracticeTrainer, config: WatchConfig) -> None:
        self.trainer, self.config = trainer, config
        self.weights = dict(zip(trainer.reward_func_names, trainer.reward_weights.tolist(), strict=True))
        measured = [name for name, weight in self.weights.items() if not weight]
        self.audits = measured if config.audits is None else [label(audit) for audit in config.audits]
        functions = dict(zip(trainer.reward_func_names, trainer.reward_funcs, strict=True))
        trained = [functions[name] for name, weight in self.weights.items() if weight]
        self.doubt = independence.warning(trained, [functions[audit] for audit in self.audits])
        trainer.recorder = self.recorder = Recorder(trainer)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.say(f"asks {', '.join(self.audits)} on {len(self.trainer.eval_dataset)} held-out prompts ({TOLD})")
        if self.doubt is not None:
            self.say(self.doubt)
        if history(state):
            self.raise_again(state)
            self.write(state)  # a run that was stopped, but cut off before its files were written
        elif self.config.best_of is not None:
            self.try_best_of_n(state, self.config.best_of)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        seen = history(state)
        now = measures.measure(state.global_step, self.recorder.answers, self.weights, seen[0] if seen else None)
        seen.append(now)
        raised = [entry["step"] for entry in entries(state) if entry["watch"]["action"] == "raise_kl"]
        verdict = rules.judge(seen, self.audits, self.config, since=max(raised, default=-1))
        if state.is_world_process_zero:
            answers.write(answers.file_of(args.output_dir, state.global_step), self.recorder.answers)
        if verdict.best_step == state.global_step:
            kept.keep(self.trainer, state.global_step)
        action = None if verdict.reason is None else self.config.action
        entry = measures.to_json(now) | asdict(verdict) | {"action": action}
        state.log_history.append({"step": state.global_step, "watch": entry})
        if verdict.reason is not None:
            self.act(verdict.reason, state, control)
        if not self.trainer.is_in_train:  # an evaluation behind the last step
            self.write(state)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.write(state)
        seen = entries(state)
        if seen and all(entry["watch"]["action"] is None for entry in seen) and not control.should_training_stop:
            self.say(f"nothing found; the weights are the last ones, best by audit was step {best_step(seen)}")

    def try_best_of_n(self, state: TrainerState, most: int) -> None:
        """Judge the best of 1 to `most` answers of the policy before training."""
        before = self.trainer.num_generations_eval
        self.trainer.num_generations_eval = most
        self.trainer.evaluation_loop(self.trainer.get_eval_dataloader(), description="Best of n")
        self.trainer.num_generations_eval = before
        self.trainer._metrics["eval"].clear()
        drawn = self.recorder.answers
        falls = {audit: best_of_n.falls(drawn, self.weights, audit, most) for audit in self.audits}
        warnings = [
            f"the proxy can be exploited: choosing the best of n answers by it, {audit} falls from {fall[0]:.3g} at "
            f"n = {most // 4} to {fall[1]:.3g} at n = {most}"
            for audit, fall in falls.items()
            if fall is not None
        ]
        curve = best_of_n.curve(drawn, self.weights, most)
        state.log_history.append({"step": state.global_step, "best_of_n": curve, "warnings": warnings})
        for warning in warnings:
            self.say(warning)
        if state.is_world_process_zero:
            answers.write(answers.file_of(self.trainer.args.output_dir, BEST_OF_N), drawn)

    def act(self, reason: str, state: TrainerState, control: TrainerControl) -> None:
        match self.config.action:
            case "stop":
                step = kept.put_back(self.trainer)
                self.log_as_restored(state, step)
                state.max_steps = state.global_step  # a checkpoint of now is that of a finished run
                control.should_training_stop = True
                self.say(f"stopped at step {state.global_step}, with the weights of step {step} put back: {reason}")
            case "raise_kl":
                raise_kl(self.trainer, self.config.kl_factor)
                self.say(
                    f"the KL costs {self.config.kl_factor:g} times as much from step {state.global_step} on: {reason}"
                )
            case "observe":
                self.say(f"would have stopped at step {state.global_step}: {reason}")

    def log_as_restored(self, state: TrainerState, step: int) -> None:
        """The last evaluation of a run is that of its final weights: same prompts and random numbers, same result."""
        same = [entry for entry in state.log_history if entry["step"] == step and "eval_reward" in entry]
        if same and step != state.global_step:
            state.log_history.append({**same[-1], "step": state.global_step, RESTORED: step})

    def raise_again(self, state: TrainerState) -> None:
        """What checkpoints do not hold: a PPO checkpoint has its coefficient, GRPO takes that of the recipe."""
        if not isinstance(self.trainer, PPOTrainer):
            for entry in entries(state):
                if entry["watch"]["action"] == "raise_kl":
                    raise_kl(self.trainer, self.config.kl_factor)

    def say(self, words: str) -> None:
        if self.trainer.is_world_process_zero():
            print(f"watch: {words}", flush=True)

    def write(self, state: TrainerState) -> None:
        """watch.json, watch.png and adversarial.jsonl, of all evaluations so far."""
        seen = history(state)
        if not state.is_world_process_zero or not seen:
            return
        folder = Path(self.trainer.args.output_dir)
        report = self.report(state)
        (folder / "watch.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        files = [answers.file_of(folder, BEST_OF_N), *(answers.file_of(folder, one.step) for one in seen)]
        rows = [row for file in files if file.exists() for row in answers.read(file)]
        found = adversarial.pairs(rows, self.weights, self.audits, seen[0], self.config.adversarial)
        lines = [json.dumps(pair, ensure_ascii=False) + "\n" for pair in found]
        (folder / "adversarial.jsonl").write_text("".join(lines), encoding="utf-8")
        picture.draw(folder / "watch.png", report, seen)

    def report(self, state: TrainerState) -> dict[str, Any]:
        """All numbers, and what happened, for people and programs."""
        seen, calibration = entries(state), [entry for entry in state.log_history if "best_of_n" in entry]
        events = [entry for entry in seen if entry["watch"]["action"] is not None]
        stopped = next((entry for entry in events if entry["watch"]["action"] == "stop"), None)
        return {
            "reason": events[0]["watch"]["reason"] if events else None,
            "events": [{"step": entry["step"], "action": entry["watch"]["action"]} for entry in events],
            "best_step": best_step(seen),
            "final_step": stopped["watch"]["best_step"] if stopped else state.global_step,  # of the weights saved
            "audits": self.audits,
            "weights": self.weights,
            "warnings": [*filter(None, [self.doubt]), *(text for entry in calibration for text in entry["warnings"])],
            "config": asdict(self.config),
            "best_of_n": calibration[0]["best_of_n"] if calibration else [],
            "evaluations": [entry["watch"] for entry in seen],
        }


def best_step(seen: list[dict[str, Any]]) -> int:
    return seen[-1]["watch"]["best_step"]


def entries(state: TrainerState) -> list[dict[str, Any]]:
    return [entry for entry in state.log_history if "watch" in entry]


def history(state: TrainerState) -> list[Measurement]:
    """All measurements of the run, this process and those before a crash alike."""
    fields = Measurement.__dataclass_fields__
    return [
        measures.from_json({key: value for key, value in entry["watch"].items() if key in fields})
        for entry in entries(state)
    ]


def raise_kl(trainer: PracticeTrainer, factor: float) -> None:
    """PPO has the KL in its reward, GRPO in its loss."""
    if isinstance(trainer, PPOTrainer):
        trainer.kl_coef *= factor
    else:
        trainer.beta *= factor
