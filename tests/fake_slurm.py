"""Stand-ins for Slurm's commands, which do at once and one after another what a cluster would do some time.

install(tmp_path / "bin")     # then put that folder first in PATH; submitted scripts lie in bin/submitted"""

from __future__ import annotations

import sys
from pathlib import Path

SBATCH = """#!{python}
import os, pathlib, re, subprocess, sys
script = next(word for word in sys.argv[1:] if not word.startswith("-"))
text = pathlib.Path(script).read_text()
submitted = pathlib.Path(__file__).parent / "submitted"
submitted.mkdir(exist_ok=True)
number = len(list(submitted.iterdir())) + 1
(submitted / f"{{number}}.slurm").write_text(text)
array = re.search(r"--array=0-(\\d+)", text)
for task in range(int(array[1]) + 1) if array else []:
    environment = dict(os.environ, SLURM_ARRAY_TASK_ID=str(task), RUN_OFFSET="0", SLURM_NODELIST="here")
    subprocess.run(["bash", script], env=environment, check=True, stdout=sys.stderr)
print("Submitted batch job", number)
"""
SRUN = """#!/bin/sh
while [ "$1" != launch_pickled_pipeline ]; do shift; done
exec "$@"
"""
SCONTROL = """#!/bin/sh
echo localhost
"""
SQUEUE = """#!/bin/sh
exit 0
"""


def install(folder: Path) -> None:
    folder.mkdir()
    for name, text in {"sbatch": SBATCH, "srun": SRUN, "squeue": SQUEUE, "scontrol": SCONTROL}.items():
        (folder / name).write_text(text.format(python=sys.executable) if name == "sbatch" else text)
        (folder / name).chmod(0o755)
