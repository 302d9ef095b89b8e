"""What is looked up at the service for the panel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

from alcf_jupyter.errors import SignInError, UsageError
from alcf_jupyter.notebook.models.look import Look, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.connection.sign_in.sources import Token
    from alcf_jupyter.errors import AlcfError
    from alcf_jupyter.frames.batch.metrics import Known
    from alcf_jupyter.frames.batch.progress import Progress

T = TypeVar("T")

_MOST_BATCHES: Final = 20


class Looks:
    """Looks at one service, and keeps what the catalog does not.

    Parameters
    ----------
    client
        The service that is asked.

    Attributes
    ----------
    models, batches
        The looks at either; what the first one finds is in the client's catalog.
    who
        Who the service takes the user for, ``""`` where it has not told.
    refused
        Why it takes the user for nobody, ``""`` where it does not.
    nobody
        Whether there is no sign-in at all.
    found
        The newest batches, each with how far it is.
    """

    def __init__(self, client: Client) -> None:
        self.client = client
        self.models = Look(self._look_at_models, self._pace_of_models, _note)
        self.batches = Look(self._look_at_batches, self._pace_of_batches, _note)
        self.who = self.refused = ""
        self.nobody = False
        self.found: list[tuple[Known, Progress]] = []
        self._refused_token: Token | None = None
        self._active = self._came_up = self._shut_out = False
        self._submissions = client.submissions

    def of(self, part: str) -> Look:
        """Return the look that a part of the panel shows."""
        return self.batches if part == "batches" else self.models

    def touch(self) -> None:
        """Note that somebody uses the panel, or what it shows."""
        self.models.touch()
        self.batches.touch()

    def come_up(self) -> None:
        """Note that the batches come on the screen, where they are to be looked at again."""
        self._came_up = True

    def _pace_of_models(self) -> float:
        # whoever has just signed in need not wait to see it
        signed_in = self.refused and self.client.credential.token not in (None, self._refused_token)
        return 0.0 if signed_in else self.client.profile.poll_seconds

    def _pace_of_batches(self) -> float:
        from alcf_jupyter.frames.batch.submission import pause

        # whoever has just signed in, or submitted one, need not wait to see it
        let_in = self._shut_out and not self.refused
        if let_in or self.client.submissions != self._submissions:
            return 0.0
        # where none is active, another kernel may submit one
        quick = self._active or self._came_up
        return pause(self.client) if quick else self.client.profile.poll_seconds

    def _look_at_models(self, fresh: bool) -> None:  # noqa: FBT001
        self._admitted(lambda: self.client.look(fresh=fresh))
        self.who = self.client.who()

    def _look_at_batches(self, _fresh: bool) -> None:  # noqa: FBT001
        from alcf_jupyter.frames.batch import glance
        from alcf_jupyter.service.batches import ENDED

        self._came_up, self._submissions = False, self.client.submissions
        if not self.client.profile.is_gateway:
            raise UsageError(f"{self.client.profile} has no batches.", do="")
        self._shut_out = False
        try:
            self.found = self._admitted(lambda: glance.newest(self.client, _MOST_BATCHES))
        except SignInError:
            self._shut_out = True
            raise
        self._active = any(one.batch.status not in ENDED for one, _ in self.found)

    def _admitted(self, ask: Callable[[], T]) -> T:
        """Return an answer, and keep in mind whether the service knows who asks."""
        try:
            answer = ask()
        except SignInError as error:
            self.refused, self.who = error.what, ""
            self.nobody = _is_nobody(error)
            self._refused_token = self.client.credential.token
            raise
        self.refused, self.nobody = "", False
        return answer


def _is_nobody(error: AlcfError) -> bool:
    return isinstance(error, SignInError) and error.remedy == "login"


def _note(error: AlcfError) -> str:
    # the line of the account says it, and there are buttons beside it
    return "Sign in to see them." if _is_nobody(error) else words(error)
