"""Where a batch's files are: on the cluster, on this machine, and who must be able to read them."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from alcf_jupyter.connection import state
from alcf_jupyter.errors import UsageError
from alcf_jupyter.typed import typed

if TYPE_CHECKING:
    from alcf_jupyter.connection.profiles import Profile

PROJECT_SPACES: Final = ("/eagle/argonne_tpc", "/lus/eagle/projects/argonne_tpc")
"""What the batch service may read and write whatever the permissions of others are."""

SANDBOX_FOLDER: Final = "/eagle/sandbox"
_CLUSTER_ROOTS: Final = ("/eagle", "/lus")
_GO, _READ, _WRITE = stat.S_IXOTH, stat.S_IROTH, stat.S_IWOTH


@dataclass(frozen=True, slots=True)
class Place:
    """A path on the cluster's file system.

    Attributes
    ----------
    remote
        As the service is told it.
    local
        Where it is on this machine; None where that file system is not here.
    private
        Whether the service reads it as this user, so that nobody else has to be able to.
    """

    remote: str
    local: Path | None
    private: bool = False

    def __truediv__(self, name: str) -> Place:
        local = None if self.local is None else self.local / name
        return Place(f"{self.remote.rstrip('/')}/{name}", local, self.private)

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.remote).name

    @property
    def parent(self) -> Place:
        """The folder it is in."""
        local = None if self.local is None else self.local.parent
        return Place(str(PurePosixPath(self.remote).parent), local, self.private)


def find(path: str | os.PathLike[str] | None, profile: Profile) -> Place:
    """Return where a folder or file of the user's is.

    Parameters
    ----------
    path
        As the user gives it; None for a folder of the service's own, which the sandbox has.
    profile
        The service.

    Raises
    ------
    UsageError
        There is no path, or it cannot be one of the cluster's.
    """
    if path is None:
        return _usual(profile)
    given = os.fspath(path)
    if profile.mount:
        return _mounted(given, Path(profile.mount))
    if profile.is_loopback:
        local = Path(_plain(str(Path(given).expanduser().absolute())))
        return Place(str(local), local, private=True)
    if given.startswith("/"):
        here = on_cluster() and Path(*Path(given).parts[:2]).exists()
        return Place(_plain(given), Path(given) if here else None)
    local = Path(_plain(str(Path(given).expanduser().absolute())))
    if on_cluster():
        return Place(str(local), local)
    raise UsageError(
        f"{given!r} is a path on this machine, and the service reads the cluster's files.",
        do=f"Name a folder there:  {typed(folder='/eagle/PROJECT/NAME')}",
    )


def on_cluster() -> bool:
    """Tell whether the clusters' file systems are mounted on this machine."""
    return any(Path(root).exists() for root in _CLUSTER_ROOTS)


def _usual(profile: Profile) -> Place:
    if profile.mount:
        return _mounted(SANDBOX_FOLDER, Path(profile.mount))
    if profile.is_loopback:
        local = state.folder("batch_files")
        return Place(str(local), local, private=True)
    raise UsageError(
        "A batch needs a folder on the cluster's file system that the service can read.",
        why=f"That is one below {PROJECT_SPACES[0]}, or one that everybody may read.",
        do=f"Name it:  {typed(folder='/eagle/PROJECT/NAME')}",
    )


def _mounted(given: str, mount: Path) -> Place:
    path = Path(given).expanduser().absolute()
    if path.is_relative_to(mount):
        path = Path("/") / path.relative_to(mount)
    remote = _plain(str(path))
    return Place(remote, mount / remote.lstrip("/"), private=True)


def _plain(path: str) -> str:
    """Return an absolute path without ``.`` and ``..``, which mean something else behind a link."""
    if ".." in PurePosixPath(path).parts:
        raise UsageError(f"{path} leads upwards.", do="Write the path out, without '..'.")
    return str(PurePosixPath(path))


def make_folder(place: Place) -> None:
    """Make a folder where the cluster's file system is here.

    Raises
    ------
    UsageError
        It cannot be made.
    """
    if place.local is None:
        return
    try:
        place.local.mkdir(mode=0o700 if place.private else 0o755, parents=place.private)
    except FileExistsError:
        if not place.local.is_dir():
            raise UsageError(
                f"{place.remote} is a file, not a folder.", do="Name a folder."
            ) from None
    except OSError as error:
        raise UsageError(
            f"{place.remote} cannot be made: {error.strerror}.",
            do="Name a folder in one that is there and that you can write to.",
        ) from None


def check_readable(place: Place) -> None:
    """Make sure that the service can read a file, or find files in a folder.

    Raises
    ------
    UsageError
        It is not there, or it or a folder above it is closed to others; the message names which.
    """
    if place.local is None:
        return
    try:
        place.local.stat()
    except OSError as error:
        raise UsageError(
            f"{place.remote} cannot be read: {error.strerror}.", do="Look at its path."
        ) from None
    if place.private:
        return
    if place.local.is_file():
        _check(place.local, _READ, "read it", "o+r")
    _check_way(place.local)


def check_writable(place: Place) -> None:
    """Make sure that the service can write its results into a folder; raises as `check_readable`.

    Raises
    ------
    UsageError
        It cannot.
    """
    if place.local is None:
        return
    check_readable(place)
    if place.private:
        if not os.access(place.local, os.W_OK | os.X_OK):
            raise UsageError(
                f"{place.remote} cannot be written to.", do="Name another folder: output_folder=…"
            )
        return
    _check(place.local, _WRITE | _GO, "write its results there", "o+rwx")


def _check_way(path: Path) -> None:
    """Look at every folder above; links are followed, since the service follows them, too."""
    for folder in path.resolve().parents:
        _check(folder, _GO, "come by it", "o+x")


def _check(path: Path, wanted: int, what: str, change: str) -> None:
    real = path.resolve()
    if any(one.is_relative_to(space) for one in (path, real) for space in PROJECT_SPACES):
        return
    try:
        mode = real.stat().st_mode
    except OSError as error:
        raise UsageError(
            f"{path} cannot be looked at: {error.strerror}.", do="Look at the folders above it."
        ) from None
    if mode & wanted != wanted:
        raise UsageError(
            f"The service cannot use {path}: it may not {what}.",
            why=f"It runs as another user. Below {PROJECT_SPACES[0]} it may; elsewhere everybody "
            "has to be allowed to.",
            do=f"Type:  !chmod {change} {path}",
        )


def warnings_for(place: Place) -> list[str]:
    """Return what to say before a file is put there."""
    if place.private:
        return []
    return [
        f"Others on the cluster can read what is sent: {place.remote}",
        "A batch needs an active allocation; without one it fails.",
    ]


def transfer(local: Path, remote: str, cluster: str, *, back: bool = False) -> str:
    """Return the line that copies a file to the cluster, or back from it."""
    there = f"YOU@{cluster or 'sophia'}.alcf.anl.gov:{remote}"
    return f"scp {there} {local}" if back else f"scp {local} {there}"


def local_of(remote: str, profile: Profile) -> Path | None:
    """Return where a path that the service names is on this machine, None if it is not here."""
    if not remote.startswith("/") or ".." in PurePosixPath(remote).parts:
        return None
    return find(remote, profile).local


def inside(remote: str, folder: str) -> bool:
    """Tell whether a path that the service names lies in a folder; a prefix alone is no proof."""
    path = PurePosixPath(remote)
    return ".." not in path.parts and path.is_relative_to(PurePosixPath(folder))
