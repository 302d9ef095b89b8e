"""Direct Metis endpoints, one for each file: which models they have, and the way to each."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from alcf_jupyter.connection import endpoint_file
from alcf_jupyter.connection.directory import Directory
from alcf_jupyter.connection.http.transport import Transport, elsewhere
from alcf_jupyter.connection.sign_in.credentials import Credential
from alcf_jupyter.errors import RestrictedError, SignInError, TokenRefusedError, UsageError
from alcf_jupyter.service.catalog import Catalog, Cluster, Model

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from alcf_jupyter.connection.deadline import Deadline
    from alcf_jupyter.connection.endpoint_file import EndpointFile
    from alcf_jupyter.connection.http.incoming import Incoming
    from alcf_jupyter.connection.http.pace import Turn

_REFUSALS = (403, 404)


class Endpoints(Transport):
    """Sends each request to the endpoint that its path begins with.

    An endpoint's file is regenerated now and then; after a refusal it is read again, and what was
    refused is sent once more if the file has changed.

    Parameters
    ----------
    paths
        The files.
    proxy
        Proxy to use in place of what the environment says.

    Raises
    ------
    UsageError
        A file cannot be read, or two have the same name.
    """

    def __init__(self, paths: Sequence[Path], proxy: str | None = None) -> None:
        files = [endpoint_file.read(path, proxy) for path in paths]
        super().__init__(
            replace(files[0].profile, name="metis"),
            Credential(None, " and ".join(file.path.name for file in files)),
        )
        self._proxy = proxy
        self._files: dict[str, EndpointFile] = {}
        self._ways: dict[str, Transport] = {}
        for file in files:
            if file.name in self._files:
                raise UsageError(
                    f"Two of the files are named {file.path.name}.",
                    do="Rename one, or connect to one alone.",
                )
            self._take(file)

    @property
    def credential(self) -> Credential:
        """Where the keys come from; each is sent to its own endpoint alone."""
        return self._credential

    @property
    def files(self) -> list[EndpointFile]:
        """What the files said when they were last read."""
        return list(self._files.values())

    def _take(self, file: EndpointFile) -> None:
        self._files[file.name] = file
        credential = Credential(file.key.reveal(), file.path.name)
        self._ways[file.name] = Transport(file.profile, credential)

    def reread(self, name: str) -> bool:
        """Read an endpoint's file again, and tell whether it says something else than before.

        Raises
        ------
        UsageError
            It cannot be read any more.
        """
        before = self._files[name]
        now = endpoint_file.read(before.path, self._proxy)
        if now == before:
            return False
        self._take(now)
        return True

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        deadline: Deadline,
        body: bytes | None = None,
        turn: Turn | None = None,
    ) -> AsyncGenerator[Incoming]:
        """Send a request to its endpoint and hand over the answer; see `Transport.stream`."""
        name, _, route = path.removeprefix(self.profile.origin).lstrip("/").partition("/")
        if name not in self._ways:
            raise elsewhere(path)
        async with AsyncExitStack() as stack:
            for last in (False, True):
                way = self._ways[name]
                address = f"{way.profile.path}/{route}"
                try:
                    incoming = await stack.enter_async_context(
                        way.stream(method, address, deadline, body, turn)
                    )
                    if incoming.status not in _REFUSALS or last:
                        break
                    if not await asyncio.to_thread(self.reread, name):
                        break
                    await stack.aclose()
                except SignInError as error:
                    if last or not await asyncio.to_thread(self.reread, name):
                        raise self._refused(name, error) from None
            yield incoming

    def _refused(self, name: str, error: SignInError) -> SignInError:
        path = self._files[name].path
        kind = RestrictedError if isinstance(error, RestrictedError) else TokenRefusedError
        return kind(
            f"The endpoint does not accept the key of {path.name}.",
            why=error.why or "The file is regenerated now and then, and this one has not changed.",
            do="Copy it again from your home directory on the Metis login node.",
        )


class EndpointDirectory(Directory):
    """Knows the models that the endpoints' files name; of their state nothing is told.

    Parameters
    ----------
    endpoints
        The way to them.
    """

    def __init__(self, endpoints: Endpoints) -> None:
        super().__init__(endpoints)
        self._endpoints = endpoints
        self.known = self._named()

    async def catalog(
        self,
        deadline: Deadline,  # noqa: ARG002 - as Directory's; nothing is asked over the network
        *,
        fresh: bool = False,
        cluster: str | None = None,
    ) -> Catalog:
        """Return what the files name, read again where `fresh`; see `Directory.catalog`."""
        if fresh:
            for file in self._endpoints.files:
                if cluster in (None, file.name):
                    await asyncio.to_thread(self._endpoints.reread, file.name)
        self.known = self._named()
        return self.known

    def _named(self) -> Catalog:
        files = self._endpoints.files
        models = [
            Model(id=name, cluster=file.name, path=f"/{file.name}")
            for file in files
            for name in file.models
        ]
        return Catalog(
            tuple(Cluster(name=file.name) for file in files),
            tuple(self._taught(model) for model in models),
        )
