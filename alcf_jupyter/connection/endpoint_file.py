"""A Metis endpoint's file: its address, key and models, read by rules stricter than a shell's."""

from __future__ import annotations

import glob
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from alcf_jupyter.connection import profiles
from alcf_jupyter.connection.sign_in.secret import Secret
from alcf_jupyter.errors import UsageError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from alcf_jupyter.connection.profiles import Profile

_LARGEST = 65_536
_NEEDED = ("BASE_URL", "SAMBANOVA_API_KEY", "MODELS")
# a word, or a text in quotes, in which a shell would find nothing to expand
_LINE = re.compile(
    r"(?:export\s+)?([A-Za-z_]\w*)=(?:'([^']*)'|\"([^\"$`\\]*)\"|([^\s'\"$`\\;&|<>()]*))\s*(?:#.*)?"
)


@dataclass(frozen=True, slots=True)
class EndpointFile:
    """What an endpoint's file says.

    Attributes
    ----------
    path
        The file.
    profile
        Where the endpoint is.
    key
        What opens it.
    models
        Its models.
    """

    path: Path
    profile: Profile
    key: Secret
    models: tuple[str, ...]

    @property
    def name(self) -> str:
        """The file's name without its ending, which stands where other services have a cluster."""
        return self.path.stem

    @property
    def open_to_others(self) -> bool:
        """Whether other users of this machine may read or change the file."""
        try:
            return bool(stat.S_IMODE(self.path.stat().st_mode) & 0o077)
        except OSError:
            return False


def is_meant(target: str) -> bool:
    """Tell whether `target` names files, rather than a service or an address."""
    named = target.endswith(".txt") or target.startswith(("~", "/", "."))
    return "://" not in target and (named or "*" in target)


def find(target: str) -> list[Path]:
    """Return the files that a path or a pattern names, in order.

    Raises
    ------
    UsageError
        There is none; the message says where such files come from.
    """
    path = Path(target).expanduser()
    if path.is_file():
        return [path]
    found = sorted(Path(name) for name in glob.glob(str(path)) if Path(name).is_file())  # noqa: PTH207 - a pattern from the root on
    if found:
        return found
    raise _missing(target)


def _missing(target: object) -> UsageError:
    return UsageError(
        f"There is no file {brief(target, 120)}.",
        why="ALCF puts one for each of your Metis endpoints into your home directory over there.",
        do="Log in to the Metis login node, or copy it:  scp LOGIN-NODE:metis_endpoint_*.txt ~",
    )


def read(path: Path, proxy: str | None = None) -> EndpointFile:
    """Return what the file at `path` says.

    Parameters
    ----------
    path
        The file.
    proxy
        Proxy to use in place of what the environment says.

    Raises
    ------
    UsageError
        It cannot be read or is no endpoint's file. Its lines are not repeated: one holds the key.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_LARGEST + 1)
        text = data.decode("utf-8")
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}.", do=f"Look at it:  !ls -l {path}"
        ) from None
    except UnicodeDecodeError:
        raise _broken(path, "it is not text") from None
    if len(data) > _LARGEST:
        raise _broken(path, "it is far too long")
    values = _values(path, text)
    if missing := [name for name in _NEEDED if not values.get(name)]:
        raise _broken(path, f"it has no {' and no '.join(missing)}")
    models = tuple(name for part in values["MODELS"].split(",") if (name := part.strip()))
    profile = profiles.resolve(values["BASE_URL"], proxy=proxy)
    if profile.is_gateway or not models:
        raise _broken(path, "its BASE_URL or MODELS is not an endpoint's")
    return EndpointFile(path, profile, Secret(values["SAMBANOVA_API_KEY"], path.name), models)


def _values(path: Path, text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match is None or match[1] in values:
            raise _broken(path, f"line {number} is not of the form NAME=value")
        values[match[1]] = match[2] or match[3] or match[4] or ""
    return values


def _broken(path: Path, why: str) -> UsageError:
    return UsageError(
        f"{path} is not the file of a Metis endpoint: {why}.",
        do="Copy it again from your home directory on the Metis login node.",
    )
