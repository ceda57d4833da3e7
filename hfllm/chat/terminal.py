"""`hfllm chat`: talk to a model in the terminal, and see how it chooses its words.

    hfllm chat runs/tiny/sft
    hfllm chat runs/tiny/pretrain --prompt "Once upon a time" --show-probabilities
    hfllm chat runs/tiny/sft --temperature 0 < questions.txt        (one line, one turn)
    hfllm chat runs/tiny/sft-tools --tool calculator --tool search:runs/tiny/world/register

Reads a model folder, an adapter folder or a Hub id; writes only what /save is told to. Chat models answer by their
template; base models (no template, or --base) continue the text. Tools that the model calls run at once: see
hfllm/sandbox.py for what --tool python does and does not protect from."""

from __future__ import annotations

import argparse
import contextlib
import io
import re
import sys

from hfllm import calls, tools
from hfllm.chat import screen
from hfllm.chat.conversation import HELP, Chat
from hfllm.chat.model import load
from hfllm.chat.sampling import DEFAULT_TEMPERATURE, Sampling, check_options
from hfllm.errors import UserMistake
from hfllm.models import find_model


def main(argv: list[str]) -> int:
    """Run `hfllm chat` and return its exit status. Raises UserMistake for wrong options and missing models."""
    options = _parser().parse_args(argv)
    names = ("temperature", "top_k", "top_p", "seed", "max_new_tokens")
    check_options({f"--{name.replace('_', '-')}": getattr(options, name) for name in names})
    options.model = find_model(options.model)
    options.tools = tools.find(tools_named(options.tool))
    for standard in (sys.stdin, sys.stdout, sys.stderr):
        if isinstance(standard, io.TextIOWrapper):
            standard.reconfigure(errors="replace")  # bytes that are no UTF-8 must not end a chat
    chat = _start(options)
    if options.prompt is not None:
        chat.answer(options.prompt)
        return 0
    return _converse(chat) if screen.is_terminal() else _read_lines(chat)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "hfllm chat", description="Talk to a model.", epilog="Inside:\n" + HELP, allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("model", metavar="PATH|HUB_ID", help="model folder, LoRA adapter folder, or Hub id")
    parser.add_argument("--base", action="store_true", help="continue the text instead of answering it")
    parser.add_argument(
        "--temperature", type=float, metavar="T", help=f"0 is greedy (default: the model's, or {DEFAULT_TEMPERATURE})"
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="draw among the K likeliest tokens only")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="draw among the likeliest tokens that make up P together"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the same answer every time")
    parser.add_argument("--system", metavar="TEXT", help="system message")
    parser.add_argument("--max-new-tokens", type=int, default=512, metavar="N", help="longest answer (default: 512)")
    parser.add_argument(
        "--tool", action="append", default=[], metavar="NAME[:PATH]",
        help=f"a tool the model may call: {', '.join(tools.names())} (search:DATA), or mine.py:NAME; may be repeated",
    )  # fmt: skip
    parser.add_argument("--show-probabilities", action="store_true", help="show what each token was drawn among")
    parser.add_argument("--prompt", metavar="TEXT", help="answer this once and end")
    return parser


def tools_named(words: list[str]) -> dict[str, dict[str, str]]:
    """tools_named(["search:runs/x", "mine.py:f"]) == {"search": {"path": "runs/x"}, "mine.py:f": {}}"""
    parts = {word: word.partition(":") for word in words}
    own = {word: dict[str, str]() for word, (file, _, _) in parts.items() if file.endswith(".py")}
    return own | {name: {"path": path} if path else {} for word, (name, _, path) in parts.items() if word not in own}


def _start(options: argparse.Namespace) -> Chat:
    """Load the model and greet. Slow: torch is imported here."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()
    if screen.is_terminal():
        screen.notice(f"loading {options.model} ...")
    talker = load(options.model, options.base)
    defaults = talker.model.generation_config
    sampling = Sampling(
        temperature=next(t for t in (options.temperature, defaults.temperature, DEFAULT_TEMPERATURE) if t is not None),
        top_k=options.top_k or defaults.top_k,
        top_p=options.top_p or defaults.top_p,
        seed=options.seed,
    )
    chat = Chat(talker, sampling, options.max_new_tokens, options.show_probabilities, options.system)
    if talker.base and options.system is not None:
        screen.notice("a base model has no system message: --system is ignored")
    if talker.base and options.tools:
        screen.notice("a base model calls no tools: --tool is ignored")
    elif options.tools:
        chat.tools, talker.tools = options.tools, tools.schemas(options.tools)
        calls.check(talker.tokenizer, talker.tools, talker.stop_ids)
    if talker.base and not options.base:
        screen.notice(f"{options.model} is a base model (never fine-tuned to chat): it continues your text")
    return chat


def _take(chat: Chat, line: str) -> bool:
    """One line of input: a command, or a turn. False when the chat is to end."""
    if re.match(r"/[a-z]+(\s|$)", line):
        return chat.command(line)
    if line.strip() or (chat.talker.base and chat.messages):
        try:
            chat.answer(line)
        except UserMistake as mistake:
            screen.complaint(str(mistake))
    return True


def _read_lines(chat: Chat) -> int:
    """Piped input: one line, one turn; no prompts, no colours."""
    for line in sys.stdin:
        if not _take(chat, line.rstrip("\n")):
            break
    return 0


def _converse(chat: Chat) -> int:
    """The loop at a terminal. Ctrl-C stops an answer, a second one in a row ends; so does Ctrl-D."""
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401  gives input() its arrow keys and history; not there on Windows
    _greet(chat)
    interrupted = False
    while True:
        try:
            line = input(screen.input_prompt())
            interrupted = False
            if not _take(chat, line):
                return 0
        except EOFError:
            print()
            return 0
        except KeyboardInterrupt:
            if interrupted:
                print()
                return 0
            interrupted = True
            screen.notice("(stopped; Ctrl-C again ends the chat)")


def _greet(chat: Chat) -> None:
    millions = chat.talker.model.num_parameters() / 1e6
    what = "it continues your text, an empty line goes on" if chat.talker.base else "it answers"
    drawn = {"temperature": chat.sampling.temperature, "top-k": chat.sampling.top_k, "top-p": chat.sampling.top_p}
    drawn["seed"] = chat.sampling.seed
    settings = ", ".join(f"{name} {value:g}" for name, value in drawn.items() if value is not None)
    screen.notice(f"{millions:,.1f}M parameters, context {chat.talker.context:,} tokens, {settings}")
    screen.notice(f"{what}; /help lists the commands, Ctrl-D ends")
