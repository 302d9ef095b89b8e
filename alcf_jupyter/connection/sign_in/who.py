"""Who the service takes one for, said where an answer may be missing for that reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.errors import AlcfError, RestrictedError, UnknownClusterError, UnknownModelError
from alcf_jupyter.plain import brief

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from alcf_jupyter.connection.directory import Directory
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.connection.sign_in.credentials import Credential

T = TypeVar("T")

_ASK_SECONDS = 5.0


class Who:
    """Knows who one is to a service; asks at most once for each token.

    Parameters
    ----------
    profile, directory, credential
        The service, the way to it, and what requests are signed with.
    """

    def __init__(self, profile: Profile, directory: Directory, credential: Credential) -> None:
        self._profile = profile
        self._directory = directory
        self._credential = credential
        self._known: dict[int, str] = {}

    async def words(self) -> str:
        """Return "Alice Example (alice@anl.gov)", or "" where there are no accounts or no answer.

        Batches, groups and models belong to one identity, and many people have several, linked.
        """
        if not self._profile.is_gateway or self._profile.name == "sandbox":
            return ""
        # a number that changes with the token; the token itself is kept nowhere else
        mark = hash(self._credential.header())
        if mark not in self._known:
            try:
                told = await self._directory.get("/whoami", Deadline.after(_ASK_SECONDS))
                name, user = told.get("name"), told.get("username")
            except (AlcfError, AttributeError):
                return ""
            self._known = {mark: f"{brief(name or '?', 60)} ({brief(user or '?', 60)})"}
        return self._known[mark]

    async def told(self, work: Awaitable[T]) -> T:
        """Await `work`; to a refusal that may be due to the wrong identity add which one it is."""
        try:
            return await work
        except (RestrictedError, UnknownModelError, UnknownClusterError) as error:
            await self.add_to(error)
            raise

    async def add_to(self, error: AlcfError) -> None:
        """Add to an error who one is signed in as."""
        who = await self.words()
        if who and who not in error.why:
            error.why = f"{error.why} You are signed in as {who}.".strip()
