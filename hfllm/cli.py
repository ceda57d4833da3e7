"""The command line: `hfllm VERB ...`.

Every verb imports what it needs when it is called, so that `hfllm --help` is quick."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import hfllm
from hfllm.errors import EXIT_INTERRUPTED, EXIT_MISTAKE, UserMistake

if TYPE_CHECKING:
    from hfllm.course import Step
    from hfllm.mistakes import Problem

DESCRIPTION = "From web text to a chat model: every stage a YAML recipe."
EXIT_BROKEN_PIPE = 141  # what a shell gives for a process that died of SIGPIPE: 128 + 13


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; its exit status, as hfllm/errors.py lists them."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it tells which optional kernels it lacks
    words = list(sys.argv[1:] if argv is None else argv)
    parser = _parser()
    options, rest = parser.parse_known_args(words)
    if "verb" not in options:
        parser.print_help()
        return EXIT_MISTAKE if rest else 0
    try:
        status = options.verb(options, rest)
        sys.stdout.flush()
        return status
    except UserMistake as mistake:
        print(mistake, file=sys.stderr)
        return EXIT_MISTAKE
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    except BrokenPipeError:  # `hfllm keys sft | head`: whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE


def run(options: argparse.Namespace, overrides: list[str]) -> int:
    """Run a course: sort, plan, and start what is not up to date."""
    from rich.console import Console

    from hfllm import course, recipe_folders, runner

    files = course.recipe_files(options.path)
    if overrides and len(files) > 1:
        raise UserMistake(
            f"{overrides[0]}: overrides belong to one recipe; name its file:  hfllm run FILE {overrides[0]} ..."
        )
    recipes, problems = course.check(files, overrides)
    if problems:
        return _show_problems(problems)
    recipe_folders.refresh_schemas(recipes)
    steps = _selected(course.plan(recipes, fresh=options.fresh), options)
    console = Console(highlight=False)
    runner.show_plan(steps, options.launch, console)
    return 0 if options.dry_run else runner.run(steps, overrides, options.launch, console, options.jobs)


def check(options: argparse.Namespace, overrides: list[str]) -> int:
    """Find every mistake in recipes, without loading anything."""
    from hfllm import course, recipe_folders

    files = course.recipe_files(options.path)
    if overrides and len(files) > 1:
        raise UserMistake(f"{overrides[0]}: overrides belong to one recipe; name its file")
    recipes, problems = course.check(files, overrides)
    if problems:
        return _show_problems(problems)
    course.plan(recipes)
    recipe_folders.refresh_schemas(recipes)
    print(f"{len(recipes)} recipe(s), no mistake found")
    return 0


def show_keys(options: argparse.Namespace, rest: list[str]) -> int:
    """Show the keys of a stage, or write their JSON schema."""
    from hfllm import keys, mistakes, recipe_folders

    _no_rest(rest)
    if options.write_schemas:
        recipe_folders.write_schemas(Path(options.write_schemas))
        return 0
    known = ", ".join(keys.stages())
    if options.stage is None:
        raise UserMistake(f"hfllm keys: name a stage, as in  hfllm keys sft  ; there are {known}")
    if options.stage not in keys.stages():
        near = mistakes.near(options.stage, keys.stages())
        raise UserMistake(f"{options.stage}: no such stage; there are {known}{near}")
    schema = keys.schema_of_stage(options.stage)
    if options.json_schema:
        print(json.dumps(schema, indent=2))
        return 0
    from hfllm import key_table

    return key_table.show(options.stage, schema, options.word)


def copy(options: argparse.Namespace, rest: list[str]) -> int:
    """Put a shipped recipe folder where it can be edited; its outputs go to runs/NEW."""
    from hfllm import recipe_folders

    _no_rest(rest)
    recipe_folders.copy(options.name, Path(options.target))
    return 0


def tokens(options: argparse.Namespace, rest: list[str]) -> int:
    """Show a text as coloured tokens."""
    from hfllm.tokenizing import tokens

    return tokens.main(rest)


def chat(options: argparse.Namespace, rest: list[str]) -> int:
    """Talk to a model."""
    from hfllm.chat import terminal

    return terminal.main(rest)


def arena(options: argparse.Namespace, rest: list[str]) -> int:
    """Show who won the battles of a stage arena."""
    from hfllm.battles import table

    return table.main(rest)


def report(options: argparse.Namespace, rest: list[str]) -> int:
    """Draw one page of what came of a course."""
    from hfllm.report import command

    return command.main(rest)


def audit_rewards(options: argparse.Namespace, overrides: list[str]) -> int:
    """See what a recipe's rewards pay for right answers, and whether they pay for nonsense."""
    from hfllm import audit

    audit.main(options.recipe, overrides)
    return 0


def web_data(options: argparse.Namespace, overrides: list[str]) -> int:
    """See whether all is there that a recipe of the stage data needs, or which steps that stage has."""
    if options.action == "steps":
        from hfllm.web import step_table

        _no_rest(overrides)
        return step_table.show(options.name)
    from hfllm.web import doctor

    if options.name is None:
        raise UserMistake("hfllm data doctor: name a recipe, as in  hfllm data doctor recipes/tiny/data.yaml")
    return doctor.main(options.name, overrides, fetch=options.fetch)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("hfllm", description=DESCRIPTION, allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"hfllm {hfllm.__version__}")
    verbs = parser.add_subparsers(metavar="VERB")

    verb = _verb(verbs, "run", run, "run a folder of recipes, or single ones, in the order of their paths")
    verb.add_argument(
        "path", nargs="+", metavar="FOLDER|FILE", help="recipes; behind a single file: --key value overrides"
    )
    verb.add_argument("--dry-run", action="store_true", help="show the plan and stop")
    verb.add_argument("--from", dest="first", metavar="NAME", help="start at this recipe, e.g. sft")
    verb.add_argument(
        "--only", metavar="NAME", action="append", help="run this recipe alone; may be given several times"
    )
    verb.add_argument("--fresh", action="store_true", help="run again what is up to date")
    verb.add_argument(
        "--jobs", metavar="N", type=_count, default=1, help="how many stages may run at a time, sharing the cores"
    )
    verb.add_argument(
        "--launch", metavar="NAME", help="accelerate config for all stages: a name in accelerate_configs/ or a file"
    )

    verb = _verb(verbs, "check", check, "find every mistake in recipes before anything runs")
    verb.add_argument("path", nargs="+", metavar="FOLDER|FILE")

    verb = _verb(verbs, "keys", show_keys, "show the keys a stage's recipe may hold")
    verb.add_argument("stage", nargs="?", help="e.g. sft")
    verb.add_argument("word", nargs="?", help="only keys whose name or help has this word")
    verb.add_argument(
        "--json-schema", action="store_true", help="print the JSON schema, for the YAML language server of an editor"
    )
    verb.add_argument("--write-schemas", metavar="FOLDER", help="write the schemas of all stages to FOLDER/STAGE.json")

    verb = _verb(verbs, "cp", copy, "copy a shipped recipe folder to edit it:  hfllm cp tiny mine")
    verb.add_argument("name", help="e.g. tiny")
    verb.add_argument("target", help="the new folder")

    verb = _verb(verbs, "rewards", audit_rewards, "try a recipe's rewards on right answers and on nonsense")
    verb.add_argument("action", choices=["audit"], metavar="audit")
    verb.add_argument("recipe", metavar="FILE", help="a recipe; behind it overrides: --key value")

    verb = _verb(verbs, "data", web_data, "look after the stage data: what a recipe of it needs, which steps there are")
    verb.add_argument("action", choices=["doctor", "steps"], metavar="doctor|steps")
    verb.add_argument(
        "name", nargs="?", metavar="FILE|STEP", help="doctor: a recipe, overrides behind it; steps: one step, else all"
    )
    verb.add_argument("--fetch", action="store_true", help="doctor: get the language model first, from the network")

    _verb(verbs, "tokens", tokens, "show a text as coloured tokens; --help tells more", own_help=True)
    _verb(verbs, "arena", arena, "show the ratings of a run of the stage arena; --help tells more", own_help=True)
    _verb(verbs, "report", report, "draw one page of what came of a course; --help tells more", own_help=True)
    _verb(verbs, "chat", chat, "talk to a model; --help tells more", own_help=True)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return int(text)


Verb = Callable[[argparse.Namespace, list[str]], int]


def _verb(
    verbs: argparse._SubParsersAction, name: str, function: Verb, help: str, own_help: bool = False
) -> argparse.ArgumentParser:
    """`own_help`: the verb's module reads its words itself, --help too."""
    parser = verbs.add_parser(name, help=help, description=function.__doc__, allow_abbrev=False, add_help=not own_help)
    parser.set_defaults(verb=function)
    return parser


def _selected(steps: list[Step], options: argparse.Namespace) -> list[Step]:
    """The steps from --from on, or those of --only."""
    from hfllm import mistakes

    names = [step.name for step in steps]
    for wanted in [*(options.only or []), *([options.first] if options.first else [])]:
        if wanted not in names:
            raise UserMistake(
                f"{wanted}: no such recipe here; there are {', '.join(names)}{mistakes.near(wanted, names)}"
            )
    if options.first:
        steps = steps[names.index(options.first) :]
    selected = [step for step in steps if not options.only or step.name in options.only]
    if not selected:
        raise UserMistake(
            f"--only {', '.join(options.only)}: runs before --from {options.first}; leave one of them out"
        )
    return selected


def _show_problems(problems: dict[Path, list[Problem]]) -> int:
    from hfllm import recipe

    for file, found in problems.items():
        print(recipe.report(file, found), file=sys.stderr)
    return EXIT_MISTAKE


def _no_rest(rest: list[str]) -> None:
    if rest:
        raise UserMistake(f"{' '.join(rest)}: not understood; see --help")
