"""``python -m alcf_jupyter.cli``: the same as the command ``alcf-jupyter``."""

import sys

from alcf_jupyter.cli import main

sys.exit(main())
