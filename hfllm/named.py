"""Is there a task, a reward, a tool, a probe of every name in a recipe?

Asked by `hfllm check`, before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from hfllm import chosen_rewards, tasks, tools
from hfllm.errors import UserMistake
from hfllm.evaluating import probes


def problems(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Key and message of everything that there is not, or that takes no such option."""
    look_ups: list[tuple[str, Callable[[], object]]] = [
        *(("tasks", partial(tasks.find, entry["name"])) for entry in values.get("tasks") or []),
        *(("eval_tasks", partial(tasks.find, entry["name"])) for entry in values.get("eval_tasks") or []),
        *(
            ("rewards", partial(chosen_rewards.one, name, options))
            for name, options in (values.get("rewards") or {}).items()
        ),
        *(("tools", partial(tools.check_name, name)) for name in values.get("tools") or {}),
        *(
            ("probes", partial(probes.find, name, options or {}))
            for name, options in (values.get("probes") or {}).items()
        ),
    ]
    told = set()
    for key, look_up in look_ups:
        try:
            look_up()
        except UserMistake as mistake:
            if str(mistake) not in told:  # the same file in tasks and eval_tasks
                yield key, str(mistake)
            told.add(str(mistake))
