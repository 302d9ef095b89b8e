"""The files in which ALCF's sign-in tools keep tokens: read, repaired, and replaced whole.

The form is that of globus-sdk's JSON token storage (format 2.0; 1.0 is read), so that a sign-in
made here counts in those tools and the other way round. The SDK's own class neither locks nor
replaces atomically, and importing it takes longer than reading the file.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alcf_jupyter.connection.sign_in import lockfile
from alcf_jupyter.connection.sign_in.grant import Grant
from alcf_jupyter.connection.sign_in.secret import is_token
from alcf_jupyter.errors import TokenStoreError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

_TORN_TRIES = 5
_TORN_PAUSE = 0.05
_MAX_BYTES = 5_000_000
_NAMESPACE = "DEFAULT"
_FORMATS = ("1.0", "2.0")


class TokenFile:
    """One store of tokens, by service; an object is used by one thread.

    Parameters
    ----------
    path
        Where it is, or would be.

    Attributes
    ----------
    notes
        What was repaired or found wrong, each a sentence for the user.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notes: list[str] = []
        self._locked = False

    def read(self) -> dict[str, Grant]:
        """Return the grants by service; what cannot be used is told in `notes`, never raised."""
        try:
            document = self._load()
        except TokenStoreError as error:
            self._note(f"{error.what} {error.why}".strip())
            return {}
        except _DamagedError:
            self._set_aside()
            return {}
        return {
            name: Grant(entry)
            for name, entry in _entries(document).items()
            if isinstance(entry, dict) and is_token(entry.get("access_token"))
        }

    def save(self, entries: Mapping[str, Mapping[str, Any]]) -> None:
        """Put entries in, and leave everything else in the file as it is; call it `locked`.

        Raises
        ------
        TokenStoreError
            The file is not ours to write, or cannot be written; it is as it was.
        """
        document = self._document()
        held = _entries(document)
        for name, entry in entries.items():
            held[name] = dict(entry)
        self._write(document)

    def remove(self, names: Iterable[str]) -> None:
        """Take out services' entries; call it `locked`.

        Raises
        ------
        TokenStoreError
            As `save`.
        """
        document = self._document()
        held = _entries(document)
        for name in names:
            held.pop(name, None)
        self._write(document)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other kernels of this package out, as far as `lockfile` can; it may be nested."""
        if self._locked:
            yield
            return
        self._own_folder(make=True)
        with lockfile.held(self.path.with_name(f"{self.path.name}.lock")):
            self._locked = True
            try:
                yield
            finally:
                self._locked = False

    def _document(self) -> dict[str, Any]:
        """Return the whole file, to be changed and written back."""
        try:
            return self._load()
        except _DamagedError:
            self._set_aside()
            return _empty()

    def _load(self) -> dict[str, Any]:
        for attempt in range(_TORN_TRIES):
            data = self._bytes()
            if data is None:
                return _empty()
            try:
                return self._checked(json.loads(data))
            except (ValueError, RecursionError):
                # another tool may be in the middle of writing: its writes are not atomic
                time.sleep(_TORN_PAUSE if attempt < _TORN_TRIES - 1 else 0)
        raise _DamagedError

    def _checked(self, document: Any) -> dict[str, Any]:
        form = document.get("format_version") if isinstance(document, dict) else None
        if isinstance(form, str) and form not in _FORMATS:
            raise TokenStoreError(
                f"{self.path} has the unknown format {form[:20]!r}; a newer tool wrote it.",
                do="Update:  pip install --upgrade alcf-jupyter",
            )
        if form == "1.0" and isinstance(document.get("by_rs"), dict):
            document = _empty() | {"data": {_NAMESPACE: document["by_rs"]}}
        if form is None or not isinstance(document.get("data"), dict):
            raise ValueError
        whole: dict[str, Any] = document
        return whole

    def _bytes(self) -> bytes | None:
        """Return what is in the file, after a look at whose it is and who may read it."""
        self._own_folder()
        try:
            if self.path.lstat().st_uid != _user():  # a link of another's could lead anywhere
                raise self._not_ours()
            handle = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise TokenStoreError(
                f"{self.path} cannot be read: {error.strerror}.", do=f"ls -l {self.path}"
            ) from None
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_uid != _user():
            os.close(handle)
            raise self._not_ours()
        with os.fdopen(handle, "rb") as file:
            if os.name == "posix" and about.st_mode & 0o077:
                self._close_to_others(file.fileno(), about.st_mode & 0o777)
            return file.read(_MAX_BYTES)

    def _not_ours(self) -> TokenStoreError:
        return TokenStoreError(
            f"{self.path} belongs to another user or is no file; it is not used.",
            do=f"Move it away:  mv {self.path} {self.path}.not-mine",
        )

    def _close_to_others(self, handle: int, mode: int) -> None:
        try:
            os.fchmod(handle, 0o600)
        except OSError as error:
            self._note(f"Others can read {self.path}, and that cannot be mended: {error.strerror}.")
        else:
            self._note(
                f"{self.path} could be read by others (mode {mode:o}); now it is yours alone. "
                "If somebody may have read it:  %alcf logout, then  %alcf login --force"
            )

    def _write(self, document: dict[str, Any]) -> None:
        """Replace the file in one step, or leave it as it was."""
        self._own_folder(make=True)
        path = Path(os.path.realpath(self.path))  # behind a link of the user's own
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(8)}.new")
        try:
            handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(document, file)
                    file.flush()
                    os.fsync(file.fileno())
                temporary.replace(path)
            except BaseException:
                temporary.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise TokenStoreError(
                f"{path} cannot be written: {error.strerror}.",
                why="What was in it is as it was.",
                do=f"See what is wrong:  ls -ld {path.parent}; df -h {path.parent}",
            ) from None

    def _own_folder(self, *, make: bool = False) -> None:
        """Let nobody else into the folder; homes are often open to others on ALCF's systems."""
        folder = self.path.parent
        with contextlib.suppress(OSError):
            if make:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            about = folder.stat()
            if os.name == "posix" and about.st_uid == _user() and about.st_mode & 0o077:
                folder.chmod(0o700)

    def _set_aside(self) -> None:
        """Move a damaged file out of the way, under a name that tells when."""
        with self.locked():
            try:
                self._load()
            except _DamagedError:
                pass
            except TokenStoreError:
                return
            else:
                return  # another process has put it right
            new = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}")
            try:
                self.path.rename(new)
            except OSError as error:
                self._note(f"{self.path} is damaged and cannot be moved: {error.strerror}.")
            else:
                self._note(f"{self.path} was damaged; it is kept as {new.name}.")

    def _note(self, sentence: str) -> None:
        if sentence not in self.notes:
            self.notes.append(sentence)


class _DamagedError(Exception):
    """What is in the file is no token store, and stays so."""


def _empty() -> dict[str, Any]:
    from importlib.metadata import version

    return {"data": {}, "format_version": "2.0", "globus-sdk.version": version("globus-sdk")}


def _entries(document: dict[str, Any]) -> dict[str, Any]:
    held = document["data"].get(_NAMESPACE)
    entries: dict[str, Any] = held if isinstance(held, dict) else {}
    document["data"][_NAMESPACE] = entries
    return entries


def _user() -> int:
    return os.geteuid() if os.name == "posix" else 0
