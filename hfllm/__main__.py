"""`python -m hfllm` is `hfllm`."""

import sys

from hfllm.cli import main

sys.exit(main())
