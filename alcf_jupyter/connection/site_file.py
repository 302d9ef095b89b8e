"""What a site sets for everybody on it: ``alcf_jupyter.toml`` in Jupyter's configuration path.

::

    proxy = "http://proxy.alcf.anl.gov:3128"

    [models]
    chat = "..."
    embed = "..."

    [contacts]
    support = "support@alcf.anl.gov"

Of several files the one that Jupyter would heed first wins, key by key.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from alcf_jupyter.errors import UsageError
from alcf_jupyter.names import nearest
from alcf_jupyter.service.support import SUBJECTS

NAME = "alcf_jupyter.toml"
_MODELS = ("chat", "embed")


@dataclass(frozen=True, slots=True)
class Site:
    """The settings of a site.

    Attributes
    ----------
    proxy
        Proxy for https addresses where neither ``connect`` nor the environment names one; not
        shown, a password may be in it.
    models
        Default models by kind, ``"chat"`` and ``"embed"``.
    contacts
        Whom to write to, by subject.
    """

    proxy: str | None = field(default=None, repr=False)
    models: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)


def read() -> Site:
    """Return what the site sets; nothing where there is no file.

    Raises
    ------
    UsageError
        A file cannot be used; the message names the place.
    """
    from jupyter_core.paths import jupyter_config_path

    found = []
    for folder in jupyter_config_path():
        path = Path(folder) / NAME
        try:
            told = path.stat()
        except OSError:
            continue
        found.append((path, told.st_mtime_ns, told.st_size))
    return _read(tuple(found))


@lru_cache(maxsize=8)
def _read(files: tuple[tuple[Path, int, int], ...]) -> Site:
    proxy: str | None = None
    models: dict[str, str] = {}
    contacts: dict[str, str] = {}
    for path, _, _ in reversed(files):
        told = _load(path)
        _known(path, told, ("proxy", "models", "contacts"), "")
        proxy = _text(path, told, "proxy", "") or proxy
        models |= _table(path, told, "models", _MODELS)
        contacts |= _table(path, told, "contacts", tuple(SUBJECTS))
    return Site(proxy, models, contacts)


def _load(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _unusable(path, str(error.strerror)) from None
    except ValueError as error:  # TOML's and UTF-8's errors are both this
        raise _unusable(path, str(error)) from None


def _table(path: Path, told: dict[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, str]:
    table = told.get(name, {})
    if not isinstance(table, dict):
        raise _unusable(path, f"{name} is a table; write it as [{name}]")
    _known(path, table, keys, f"{name}.")
    return {key: _text(path, table, key, f"{name}.") or "" for key in table}


def _text(path: Path, table: dict[str, Any], key: str, place: str) -> str | None:
    value = table.get(key)
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise _unusable(path, f"{place}{key} is a text in quotes")
    return value.strip() if value else None


def _known(path: Path, table: dict[str, Any], keys: tuple[str, ...], place: str) -> None:
    for key in table:
        if key not in keys:
            near = nearest(key, keys) or list(keys)
            raise _unusable(path, f"it has no setting {place}{key}; there is {place}{near[0]}")


def _unusable(path: Path, why: str) -> UsageError:
    return UsageError(
        f"The site's settings in {path} cannot be used: {why}.",
        do="Mend the file, or ask who keeps this Jupyter to.",
    )
