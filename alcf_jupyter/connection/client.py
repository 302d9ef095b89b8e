"""Client: models, jobs, whoami, chat, stream, complete, embed and batches on one service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from alcf_jupyter.connection import loop
from alcf_jupyter.connection.batches import BatchRoutes
from alcf_jupyter.connection.call import Status
from alcf_jupyter.connection.caller import Caller
from alcf_jupyter.connection.deadline import Deadline
from alcf_jupyter.connection.directory import Directory
from alcf_jupyter.connection.http.transport import Transport
from alcf_jupyter.connection.many import ManyChats
from alcf_jupyter.connection.record import replay
from alcf_jupyter.connection.sign_in.who import Who

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Sequence
    from typing import TypeVar

    from openai import AsyncOpenAI, OpenAI

    from alcf_jupyter.connection.call import Call, Emit
    from alcf_jupyter.connection.meter import Meter
    from alcf_jupyter.connection.profiles import Profile
    from alcf_jupyter.connection.sign_in.credentials import Credential
    from alcf_jupyter.errors import AlcfError
    from alcf_jupyter.progress import Observer
    from alcf_jupyter.service.batches import Listed, Summary
    from alcf_jupyter.service.catalog import Catalog, Model
    from alcf_jupyter.service.dialect import Answer, Piece, Vectors

    T = TypeVar("T")

READ_TIMEOUT = "60s"


class Client:
    """Talks to one service. Every method blocks, and an interrupt ends it at once.

    All of them may raise what `errors` lists under NoConnectionError, SignInError and
    ServiceError; those that ask a model may raise AnswerError, too.

    Parameters
    ----------
    profile
        The service.
    credential
        What is sent to it; it cannot be read back.
    way
        The transport and the directory, where they are not the usual ones.

    Attributes
    ----------
    submissions
        How many batches it was told to create: whoever shows them knows by it when to look again.
    """

    def __init__(
        self,
        profile: Profile,
        credential: Credential,
        way: tuple[Transport, Directory] | None = None,
    ) -> None:
        self.profile = profile
        self._credential = credential
        self._transport, self._directory = way or _way(profile, credential)
        self._caller = Caller(self._transport, self._directory)
        self._who = Who(profile, self._directory, credential)
        self._many = ManyChats(self._transport, self._directory, self._caller)
        self._batches = BatchRoutes(self._transport, self._directory)
        self.submissions = 0

    def __repr__(self) -> str:
        return f"<Client of {self.profile}>"

    @property
    def url(self) -> str:
        """The base address of the service."""
        return self.profile.url

    @property
    def credential(self) -> Credential:
        """What requests are signed with; it shows no token."""
        return self._credential

    @property
    def signed_in_by(self) -> str:
        """Where the token comes from, in words; never the token."""
        return self._credential.source

    @property
    def known(self) -> Catalog:
        """The catalog as last fetched, without asking the service."""
        tape = replay.playing()
        return tape.known(self.service) if tape else self._directory.known

    @property
    def favoured(self) -> list[str]:
        """The models to propose before others: those that were chosen, the latest first."""
        return self._directory.favoured

    def favour(self, name: str) -> None:
        """Propose a model before others from now on.

        Parameters
        ----------
        name
            Its id.
        """
        self._directory.favour(name)

    @property
    def clusters(self) -> list[str]:
        """Names of the clusters."""
        return [cluster.name for cluster in self.models().clusters]

    def models(self, *, fresh: bool = False, timeout: str | float = READ_TIMEOUT) -> Catalog:
        """Return every model and its state.

        Parameters
        ----------
        fresh
            Ask for the queue again even if it was asked for a moment ago. The service answers
            from a cache of 60 s.
        timeout
            Seconds, or words such as ``"30s"``.

        Returns
        -------
        Catalog
            A cluster whose queue cannot be had has models of unknown state.
        """
        tape = replay.active()
        if tape and tape.mode == "only":
            return tape.catalog(self.service)
        known = self.look(fresh=fresh, timeout=timeout)
        if tape:
            tape.keep_catalog(self.service, known)
        return known

    def look(self, *, fresh: bool = False, timeout: str | float = READ_TIMEOUT) -> Catalog:
        """Return what `models` does to whoever watches beside the cells.

        What a panel sees at moments of its own is no part of a record: the cells would be played
        what it saw.

        Parameters
        ----------
        fresh, timeout
            As for `models`.
        """
        if replay.playing():
            return self.known
        return loop.run(self._directory.catalog(Deadline.after(timeout), fresh=fresh))

    def jobs(self, cluster: str, timeout: str | float = READ_TIMEOUT) -> dict[str, Any]:
        """Return the answer of ``/{cluster}/jobs`` as the service gives it.

        Parameters
        ----------
        cluster
            Name of the cluster.
        timeout
            Seconds, or words such as ``"30s"``.
        """
        return self._get(f"/{self.models().cluster(cluster).name}/jobs", timeout)

    @property
    def caller(self) -> Caller:
        """What sends single requests, for those who run on the connection's loop."""
        return self._caller

    @property
    def meter(self) -> Meter:
        """What this kernel has asked of the service."""
        return self._caller.meter

    @property
    def checked_at(self) -> float | None:
        """``time.time()`` of the last look at the queue, None before the first."""
        return self._directory.checked_at

    def warm_up(self, model: Model) -> bool:
        """Ask the service to start a model, without waiting for it.

        Parameters
        ----------
        model
            A model of the catalog.

        Returns
        -------
        bool
            False if it was asked already in the last ten minutes, by any kernel.
        """
        route = "embeddings" if model.looks_like_embedding else "chat/completions"

        async def ask() -> bool:
            return self._caller.warm_up(route, model)

        return loop.run(ask())

    def whoami(self, timeout: str | float = READ_TIMEOUT) -> dict[str, Any]:
        """Return who the service takes you for.

        Parameters
        ----------
        timeout
            Seconds, or words such as ``"30s"``.
        """
        return self._get("/whoami", timeout)

    def who(self) -> str:
        """Return who the service takes you for in words, ``""`` where it cannot be had just now."""
        return loop.run(self._who.words())

    def add_who(self, error: AlcfError) -> None:
        """Add to an error who the service takes you for, where that may be its cause.

        Parameters
        ----------
        error
            An error that was not raised by one of these methods, which do so themselves.
        """
        loop.run(self._who.add_to(error))

    def chat(self, call: Call, observer: Observer | None = None) -> Answer:
        """Send a chat and return its answer, all at once.

        Parameters
        ----------
        call
            What to send, to whom, and until when.
        observer
            Told how the queue is.
        """
        return loop.finish(self.asked(call), _tell(observer))

    def asked(self, call: Call) -> Generator[Piece | Status | None, None, Answer]:
        """Send a chat and return its answer as `chat` does, yielding while it is waited for.

        Parameters
        ----------
        call
            What to send, to whom, and until when.

        Yields
        ------
        Status or None
            How the queue is; None after a tenth of a second of nothing.
        """
        return self._steps(call, self._caller.chat)

    def chat_many(
        self,
        calls: Sequence[Call],
        observer: Observer | None = None,
        came: list[Answer | AlcfError | None] | None = None,
    ) -> list[Answer | AlcfError]:
        """Send chats and return for each its answer, or the error it failed with, in order.

        Direct Metis endpoints take them in one request; elsewhere they are sent one by one.

        Parameters
        ----------
        calls
            What to send, to whom, and until when.
        observer
            Told how the queue is.
        came
            A None for each of `calls`, whose place an answer takes as it comes: an interrupt
            leaves there what had come.
        """
        found: list[Answer | AlcfError | None] = [None] * len(calls) if came is None else came
        return replay.many(
            self.service,
            calls,
            lambda some: _watched(lambda emit: self._many.send(some, emit, found), observer),
        )

    def complete(self, call: Call, observer: Observer | None = None) -> Answer:
        """Send a text to be continued and return its answer.

        Parameters
        ----------
        call
            What to send, to whom, and until when.
        observer
            Told how the queue is.
        """
        return loop.finish(self._steps(call, self._caller.complete), _tell(observer))

    def embed(self, call: Call, observer: Observer | None = None) -> Vectors:
        """Send texts and return an embedding for each, as they came.

        Parameters
        ----------
        call
            Its body holds 1 to 2,048 texts as ``input``.
        observer
            Told how the queue is.
        """
        return loop.finish(self._steps(call, self._caller.embed), _tell(observer))

    def stream(self, call: Call) -> Generator[Piece | Status | None, None, Answer]:
        """Send a chat and yield its answer as it arrives.

        Parameters
        ----------
        call
            What to send, to whom, and until when.

        Yields
        ------
        Piece, Status or None
            A piece of the answer; how the queue is; None after a tenth of a second of nothing.

        Returns
        -------
        Answer
            The whole of it. Where it is an error instead, ``call.reading`` holds what had come.
        """
        return self._steps(call, self._caller.stream)

    def batch_model(
        self, model: str, cluster: str | None = None, timeout: str | float = READ_TIMEOUT
    ) -> Model:
        """Return a model to send batches to.

        Parameters
        ----------
        model, cluster
            Its name, and where it runs.
        timeout
            Seconds, or words such as ``"30s"``.
        """
        work = self._batches.model(model, cluster, Deadline.after(timeout))
        return loop.run(self._who.told(work))

    def create_batch(
        self, model: Model, input_file: str, folder: str, timeout: str | float = READ_TIMEOUT
    ) -> str:
        """Create a batch and return its id; it is asked for once, and never again.

        Parameters
        ----------
        model
            As `batch_model` gives it.
        input_file, folder
            Paths on the cluster's file system; the results go into a folder below `folder`.
        timeout
            Seconds, or words such as ``"30s"``.
        """
        work = self._batches.create(model, input_file, folder, Deadline.after(timeout))
        try:
            return loop.run(self._who.told(work))
        finally:  # where the answer is lost there may be a batch all the same
            self.submissions += 1

    def list_batches(
        self, status: str | None = None, timeout: str | float = READ_TIMEOUT
    ) -> list[Listed]:
        """Return your batches as the service lists them.

        Parameters
        ----------
        status
            ``"pending"``, ``"running"``, ``"failed"`` or ``"completed"``; all by default.
        timeout
            Seconds, or words such as ``"30s"``.
        """
        return loop.run(self._who.told(self._batches.listed(status, Deadline.after(timeout))))

    def batch_status(self, batch_id: str, timeout: str | float = READ_TIMEOUT) -> str:
        """Return how a batch is, in the service's word; it looks at most every 30 s.

        Parameters
        ----------
        batch_id
            The batch's.
        timeout
            Seconds, or words such as ``"30s"``.
        """
        return loop.run(self._who.told(self._batches.status(batch_id, Deadline.after(timeout))))

    def batch_result(self, batch_id: str, timeout: str | float = READ_TIMEOUT) -> list[Summary]:
        """Return what each task of a batch did; of one that failed, the reason as an error.

        Parameters
        ----------
        batch_id
            The batch's.
        timeout
            Seconds, or words such as ``"30s"``.
        """
        return loop.run(self._who.told(self._batches.result(batch_id, Deadline.after(timeout))))

    def batch_results(
        self, batch_ids: Sequence[str], timeout: str | float = "5m"
    ) -> list[list[Summary] | AlcfError]:
        """Return for each of several batches what it did, or the error that was answered.

        Parameters
        ----------
        batch_ids
            The batches'.
        timeout
            Seconds, or words such as ``"30s"``.
        """
        return loop.run(self._batches.results(batch_ids, Deadline.after(timeout)))

    @overload
    def openai(
        self, cluster: str | None = ..., *, asynchronous: Literal[False] = ...
    ) -> OpenAI: ...
    @overload
    def openai(self, cluster: str | None = ..., *, asynchronous: Literal[True]) -> AsyncOpenAI: ...
    def openai(
        self, cluster: str | None = None, *, asynchronous: bool = False
    ) -> OpenAI | AsyncOpenAI:
        """Return an OpenAI client for a cluster; see `openai` for what it does.

        Parameters
        ----------
        cluster
            Name of the cluster; the one with the most Live models where not given.
        asynchronous
            Return an ``AsyncOpenAI``.
        """
        from alcf_jupyter.connection.sdk import clients

        replay.pass_over("What alcf.openai() asks", "what alcf.chat and alcf.embed ask")
        return clients.bound(
            self._transport, self._directory, self.meter, cluster, asynchronous=asynchronous
        )

    @property
    def service(self) -> str:
        """Who is asked, as it is recorded.

        The sandbox has another address in every run, and a Metis endpoint's stands in its file,
        which whoever plays the record need not have.
        """
        name = self.profile.name
        return name if name in ("alcf", "sandbox", "metis") else f"{name} {self.profile.url}"

    def _steps(
        self, call: Call, ask: Callable[[Call, Emit], Coroutine[Any, Any, T]]
    ) -> Generator[Piece | Status | None, None, T]:
        def start() -> Generator[Piece | Status | None, None, T]:
            return loop.events(lambda emit: self._who.told(ask(call, emit)))

        return replay.steps(self.service, call, start)

    def _get(self, path: str, timeout: str | float) -> dict[str, Any]:
        answer = loop.run(self._who.told(self._directory.get(path, Deadline.after(timeout))))
        return answer if isinstance(answer, dict) else {}


def _way(profile: Profile, credential: Credential) -> tuple[Transport, Directory]:
    transport = Transport(profile, credential)
    return transport, Directory(transport)


def _watched(
    start: Callable[[Callable[[Status | Piece], None]], Coroutine[Any, Any, T]],
    observer: Observer | None,
) -> T:
    """Run a call to its end, telling `observer` how it is getting on."""
    return loop.finish(loop.events(start), _tell(observer))


def _tell(observer: Observer | None) -> Callable[[object], None]:
    def tell(event: object) -> None:
        if observer is not None and isinstance(event, Status):
            observer.status(event.words)

    return tell
