"""What a site has set for everybody on it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alcf_jupyter.connection import site_file
from alcf_jupyter.errors import AlcfError
from alcf_jupyter.notebook.doctor.finding import ok, problem
from alcf_jupyter.notebook.doctor.lines import short
from alcf_jupyter.notebook.doctor.proxies import address

if TYPE_CHECKING:
    from collections.abc import Iterator

    from alcf_jupyter.notebook.doctor.finding import Finding


def check() -> Iterator[Finding]:
    """Look for the site's file, and at what it sets."""
    from jupyter_core.paths import jupyter_config_path

    try:
        told = site_file.read()
    except AlcfError as error:
        yield problem("Site", short(error.what), error.do)
        return
    places = [Path(folder) / site_file.NAME for folder in jupyter_config_path()]
    found = [short(path) for path in places if path.is_file()]
    if not found:
        return
    sets = [f"proxy {address(told.proxy)}"] if told.proxy else []
    sets += [f"{kind} model {model}" for kind, model in told.models.items()]
    sets += ["contacts"] if told.contacts else []
    yield ok("Site", f"{', '.join(found)} sets {', '.join(sets) or 'nothing'}")
