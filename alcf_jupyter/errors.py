"""Every error of the package; each message ends with the next line to type.

::

    AlcfError
    ├── UsageError                  something to put right before anything is sent
    │   ├── ModelNotChosenError
    │   ├── UnknownModelError       also when the service says so
    │   ├── UnknownClusterError
    │   ├── TemplateError           a {{name}} in a prompt
    │   ├── TooLargeError           more than the service takes in one request
    │   └── ReplayError             a file of recorded answers cannot be used, or lacks this one
    ├── JournalError                the record of a run cannot be used
    │   ├── JournalHeldError        another process is writing it
    │   └── NotWrittenError         no room, or no right to write; the rows are in `.unwritten`
    ├── NoConnectionError           no answer came from the service
    │   ├── UnreachableError
    │   ├── NotTheServiceError      something else answered: a redirect, a portal page, HTML
    │   └── DeadlineError           the time given has passed
    ├── SignInError                 the service does not accept who you are
    │   ├── NotSignedInError
    │   │   └── CodeRefusedError    Globus does not take the code that was pasted
    │   ├── IdentityChangedError    signed in as somebody else than the store's owner
    │   ├── TokenStoreError         the file of tokens cannot be used
    │   ├── TokenRefusedError       expired, revoked or not a token of this service
    │   ├── LoginRequiredError      only a new login helps
    │   ├── RestrictedError         signed in, but the account lacks a group
    │   └── IdentityCheckError      the service could not check the token just now
    ├── ServiceError                the service answered with a failure
    │   ├── RefusedError            the request itself; the same request fails again
    │   ├── RateLimitError          too many requests, or tokens, in a while
    │   ├── NotLiveError            the model is not running
    │   ├── MaintenanceError        the cluster is not running
    │   ├── ServiceTimeoutError     the service gave up waiting for the model
    │   └── ServerFailureError      anything that went wrong over there
    └── AnswerError                 HTTP said success, but what came is no answer
        ├── StreamFailedError       an error in the middle of a stream
        ├── IncompleteError         the answer stopped before its end
        ├── InvalidAnswerError      the answer is whole, but not of the form that was asked for
        └── MixedUpError            answers to several questions, and which is whose is not told

    Interrupted(KeyboardInterrupt)  interrupted; nothing is left running
    └── AnswerInterrupted           while an answer arrived; what had come is in `.reply`
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from alcf_jupyter.typed import here

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class AlcfError(Exception):
    """What happened, why, and the next line to type.

    Parameters
    ----------
    what
        What happened, a sentence.
    why
        The reason, if it is known.
    do
        The next line to type, or the next thing to do.

    Attributes
    ----------
    result
        Where a run over many rows ended early: the frame so far.
    """

    result: object = None

    def __init__(self, what: str, *, why: str = "", do: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.do = do

    @property
    def message(self) -> str:
        """All of it, with what to type in a notebook."""
        return "\n".join(line for line in (self.what, self.why, self.do) if line)

    def __str__(self) -> str:
        # what happened may be in the words of others
        rest = "\n".join(line for line in (self.why, self.do) if line)
        return f"{self.what}\n{here(rest)}" if rest else self.what

    def _render_traceback_(self) -> list[str]:
        """Show the message alone: IPython asks for this instead of a traceback."""
        return f"{type(self).__name__}: {self}".splitlines()


class UsageError(AlcfError):
    """Something to put right before anything is sent."""


class ModelNotChosenError(UsageError):
    """No model was named, chosen or set."""


class UnknownModelError(UsageError):
    """The service has no model of that name, or this account may not see it."""


class UnknownClusterError(UsageError):
    """The service has no cluster of that name."""


class TemplateError(UsageError):
    """A ``{{name}}`` of a prompt has no value; nothing was sent."""


class TooLargeError(UsageError):
    """A request is larger than the service takes."""


class ReplayError(UsageError):
    """A file of recorded answers cannot be used, or does not hold the answer asked for."""


class JournalError(AlcfError):
    """The record of a run cannot be used."""


class JournalHeldError(JournalError):
    """Another process is writing the record of this run."""


class NotWrittenError(JournalError):
    """Answers could not be recorded; they are kept in memory.

    Attributes
    ----------
    unwritten
        The rows that are not in the record.
    save
        ``save(folder)`` writes a whole record, these rows included, somewhere else.
    """

    unwritten: Sequence[object] = ()
    save: Callable[[str], object] | None = None


class NoConnectionError(AlcfError):
    """No answer came from the service."""


class UnreachableError(NoConnectionError):
    """No connection could be made, or it broke."""


class NotTheServiceError(NoConnectionError):
    """Something else answered in the service's place."""


class DeadlineError(NoConnectionError):
    """The time given for the whole call has passed."""


class SignInError(AlcfError):
    """The service does not accept who you are.

    Attributes
    ----------
    remedy
        ``"login"`` where signing in helps, ``"force"`` where only a new login does, else ``""``.
    """

    remedy = ""


class NotSignedInError(SignInError):
    """There is no token to send."""

    remedy = "login"


class CodeRefusedError(NotSignedInError):
    """Globus does not take the code: it is wrong, used, too old, or of another link."""

    remedy = ""


class IdentityChangedError(SignInError):
    """The sign-in was as another identity than the one whose tokens are stored."""


class TokenStoreError(SignInError):
    """The file of tokens belongs to somebody else, or cannot be read or written."""


class TokenRefusedError(SignInError):
    """The token is expired, revoked, or none of this service."""

    remedy = "force"


class LoginRequiredError(SignInError):
    """A policy of the service wants a new login; refreshing the token does not help."""

    remedy = "force"


class RestrictedError(SignInError):
    """The account lacks the group that this model or cluster asks for."""


class IdentityCheckError(SignInError):
    """The service could not check the token just now; another try in a minute may work."""


class ServiceError(AlcfError):
    """The service answered with a failure.

    Parameters
    ----------
    what, why, do
        As for :class:`AlcfError`.
    status
        The HTTP status, or the model server's own where the gateway wraps it.
    code
        The gateway's word for the failure, ``""`` where there is none.
    """

    def __init__(
        self, what: str, *, why: str = "", do: str = "", status: int = 0, code: str = ""
    ) -> None:
        super().__init__(what, why=why, do=do)
        self.status = status
        self.code = code


class RefusedError(ServiceError):
    """The request was refused; the same request would be refused again."""


class RateLimitError(ServiceError):
    """More requests, or tokens, than the service takes in a while.

    Parameters
    ----------
    what, why, do, status, code
        As for :class:`ServiceError`.
    scope
        ``"requests"`` (10 a second) or ``"tokens"`` (a fixed window of 60 s).

    Attributes
    ----------
    used
        Tokens of the running window that the service says you, and everybody, have used of the
        model; 0 where it does not say.
    """

    used: tuple[int, int] = (0, 0)

    def __init__(
        self,
        what: str,
        *,
        why: str = "",
        do: str = "",
        status: int = 429,
        code: str = "",
        scope: str = "requests",
    ) -> None:
        super().__init__(what, why=why, do=do, status=status, code=code)
        self.scope = scope


class NotLiveError(ServiceError):
    """The model is not running, or not ready yet."""


class MaintenanceError(ServiceError):
    """The cluster is under maintenance."""


class ServiceTimeoutError(ServiceError):
    """The service gave up waiting for the model; its work may go on, its answer is lost."""


class ServerFailureError(ServiceError):
    """Something went wrong at the service; another try may work."""


class AnswerError(AlcfError):
    """HTTP said success, but what came is no answer.

    Attributes
    ----------
    reply
        What had arrived, as a Reply that is not complete, or None.
    """

    reply: object = None


class StreamFailedError(AnswerError):
    """The service reported a failure in the middle of a stream.

    Attributes
    ----------
    failure
        The same failure as the service would report it outside a stream.
    """

    failure: AlcfError | None = None


class IncompleteError(AnswerError):
    """The answer stopped before its end, without a word why."""


class InvalidAnswerError(AnswerError):
    """The answer is whole, but it is not of the form that was asked for."""


class MixedUpError(AnswerError):
    """What came for several texts is not one embedding each, numbered, of one length."""


class Interrupted(KeyboardInterrupt):
    """Interrupted while the service was waited for."""

    def _render_traceback_(self) -> list[str]:
        """Show one line: the way down to a wait on a queue explains nothing."""
        return ["Interrupted."]


class AnswerInterrupted(Interrupted):
    """Interrupted while an answer arrived.

    Attributes
    ----------
    reply
        What had arrived, as a Reply that is not complete.
    """

    reply: object = None

    def _render_traceback_(self) -> list[str]:
        came = getattr(self.reply, "text", "") or getattr(self.reply, "reasoning", "")
        return [f"Interrupted. {'What had arrived is marked incomplete.' if came else ''}".strip()]
