"""What every stage that trains does around `trainer.train()`: resume, log, progress, stopping safely, saving.

    training.prepare(training_args)      before a model is built: processes and threads are as they should be
    numbers = training.train(trainer)    for any transformers Trainer, TRL's included

Writes to `output_dir`: the model folder with its tokenizer, checkpoints, and log.jsonl (one line a logged step).
Started again after a crash it goes on from the last complete checkpoint and ends with the same weights."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from transformers import PrinterCallback, ProgressCallback, TrainerCallback, TrainerControl, TrainerState
from transformers.trainer import TRAINING_ARGS_NAME
from transformers.utils.logging import disable_progress_bar

from hfllm import checkpoints, processes, progress, quiet, threads
from hfllm.errors import UserMistake

if TYPE_CHECKING:
    from transformers import Trainer, TrainingArguments

STEPS_BETWEEN_AGREEMENTS = 10  # several processes ask each other this often whether one was told to stop


def prepare(args: TrainingArguments, thread_count: int | None = None) -> None:
    """Check that the processes of this launch train together, choose the number of threads, silence other bars.

    Raises UserMistake when each process would train alone and all would write to the same folder."""
    launched = processes.count()
    if launched != args.world_size:
        raise UserMistake(
            f"{launched} processes were launched, but each would train alone (world size {args.world_size}).\n"
            "  to mend it: on a machine without a GPU write   use_cpu: true   into the recipe, and launch with\n"
            "  accelerate launch --config_file accelerate_configs/ddp_cpu.yaml"
        )
    disable_progress_bar()  # of loading and saving weights: each checkpoint would draw one
    threads.choose(thread_count)


def train(trainer: Trainer) -> dict[str, Any]:
    """Train from the last complete checkpoint on, or from the start; save; return the final numbers.

    Raises KeyboardInterrupt after Ctrl-C or SIGTERM, when the checkpoint is written."""
    output_dir, stop = Path(trainer.args.output_dir), StopOnSignal()
    for callback in (PrinterCallback, ProgressCallback):
        trainer.remove_callback(callback)
    for callback in (LogFile(output_dir / "log.jsonl"), Progress(), stop):
        trainer.add_callback(callback)
    started = time.perf_counter()
    # an output layer tied to the embeddings is saved with them, so a checkpoint that lacks it lacks nothing
    with stop.installed(), quiet.about("transformers.trainer", "['lm_head.weight']"):
        run_steps(trainer, find_checkpoint(output_dir, trainer.args))
    if stop.stopped:
        print(f"stopped at step {trainer.state.global_step}; the same command goes on from there", flush=True)
        raise KeyboardInterrupt
    if trainer.eval_dataset is not None and last_evaluation(trainer.state).get("step") != trainer.state.global_step:
        trainer.evaluate()
    trainer.save_model()
    (output_dir / TRAINING_ARGS_NAME).unlink(missing_ok=True)  # a pickle; the receipt says the same in plain text
    return final_numbers(trainer.state, seconds=time.perf_counter() - started)


def find_checkpoint(output_dir: Path, args: TrainingArguments) -> Path | None:
    """The checkpoint to go on from. Torn ones are removed, by one process while the others wait."""
    checkpoints.refuse_other_launch(output_dir, args.world_size)
    found = checkpoints.last_complete(output_dir, args.world_size)
    with args.main_process_first(desc="torn checkpoints"):
        if args.should_save:
            checkpoints.remove_torn(output_dir)
    if found is not None and args.process_index == 0:
        print(f"going on from {found}")
    return found


def run_steps(trainer: Trainer, checkpoint: Path | None) -> None:
    """All steps after `checkpoint`; none when training had ended there."""
    if checkpoint is not None and checkpoints.is_finished(checkpoint):
        # Trainer.train would take one step too many from here, so only the weights and the log are read
        trainer._load_from_checkpoint(str(checkpoint))
        trainer.state = TrainerState.load_from_json(str(checkpoint / checkpoints.STATE_FILE))
        trainer.state.init_training_references(trainer, trainer.state.max_steps, trainer.state.num_train_epochs, None)
        trainer.callback_handler.on_train_begin(trainer.args, trainer.state, trainer.control)
    else:
        trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))


def final_numbers(state: TrainerState, seconds: float) -> dict[str, Any]:
    """Steps, last training loss (nats a token), what the last evaluation gave, seconds of this call, GPU memory."""
    losses = [entry["loss"] for entry in state.log_history if "loss" in entry]
    evaluation = {name: value for name, value in last_evaluation(state).items() if name.startswith("eval_")}
    return {
        "steps": state.global_step,
        "train_loss": losses[-1] if losses else mean_loss(state),
        **{name: value for name, value in evaluation.items() if "per_second" not in name and "time" not in name},
        "training_seconds": round(seconds, 1),
        **({"peak_gpu_memory_bytes": torch.cuda.max_memory_allocated()} if torch.cuda.is_available() else {}),
    }


def mean_loss(state: TrainerState) -> float | None:
    """The mean over all steps, for a run too short to log one; None for a run that took no step in this process."""
    return next((entry["train_loss"] for entry in reversed(state.log_history) if "train_loss" in entry), None)


def last_evaluation(state: TrainerState) -> dict[str, Any]:
    """What was logged by the evaluation at the last step that had one; empty when there was none."""
    entries = [entry for entry in state.log_history if any(name.startswith("eval_") for name in entry)]
    at_last_step = [entry for entry in entries if entry["step"] == entries[-1]["step"]]  # one for each eval data set
    return {name: value for entry in at_last_step for name, value in entry.items()}


class LogFile(TrainerCallback):
    """log.jsonl is the Trainer's `log_history`, which checkpoints hold: a resumed run repeats and forgets no line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines_written = 0

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text("")
            self.append(state)

    def on_log(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.is_world_process_zero:
            self.append(state)

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.on_log(args, state, control)  # samples are drawn at an evaluation, after it was logged

    def append(self, state: TrainerState) -> None:
        with self.path.open("a") as file:
            file.writelines(json.dumps(entry) + "\n" for entry in state.log_history[self.lines_written :])
        self.lines_written = len(state.log_history)


class Progress(TrainerCallback):
    """The progress bar, with the last logged loss, or rewards and length."""

    def __init__(self) -> None:
        self.note = ""

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, Any], **_: Any
    ) -> None:
        if "reward" in logs:  # the loss of practice says nothing: it is about 0 at every step
            means = [name for name in logs if re.fullmatch(r"rewards/.+/mean", name) and logs[name] is not None]
            shown = [f"{name.split('/')[1]} {logs[name]:.2f}" for name in means]
            self.note = ", ".join([*shown, f"{logs['completions/mean_length']:.0f} tokens"])
        elif "loss" in logs:
            self.note = f"loss {logs['loss']:.3f}"

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        progress.report(state.global_step, state.max_steps, self.note)


class StopOnSignal(TrainerCallback):
    """The first Ctrl-C or SIGTERM ends training after the step, with a checkpoint; the second one ends it at once."""

    def __init__(self) -> None:
        self.asked = False
        self.stopped = False  # training ended because of it, not because it was done

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Handle the two signals inside the `with` block."""
        before = {number: signal.signal(number, self.ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if args.world_size > 1:
            if state.global_step % STEPS_BETWEEN_AGREEMENTS:
                return  # not the moment to ask the others; `asked` waits for it
            self.asked = any_process(self.asked, args.device)
        if self.asked:
            self.stopped = True
            control.should_save = control.should_training_stop = True


def any_process(asked: bool, device: torch.device) -> bool:
    """Whether any process was asked to stop: all must stop at the same step, or the others wait for ever."""
    flag = torch.tensor(int(asked), device=device)
    torch.distributed.all_reduce(flag, op=torch.distributed.ReduceOp.MAX)
    return bool(flag.item())
