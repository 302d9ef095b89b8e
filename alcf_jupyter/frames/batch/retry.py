"""The failed lines of a campaign, as the input of another one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import msgspec
from msgspec.structs import replace

from alcf_jupyter.connection.call import write_json
from alcf_jupyter.errors import UsageError
from alcf_jupyter.frames.batch import manifest as batch_manifest
from alcf_jupyter.frames.batch import shared
from alcf_jupyter.frames.batch.writer import write_parts
from alcf_jupyter.prompt.parameters import CHAT_PARAMETERS, given
from alcf_jupyter.service.batches import ENDED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from alcf_jupyter.connection.client import Client
    from alcf_jupyter.frames.batch.manifest import Manifest

_OURS: Final = re.compile(rb'\{"custom_id":"(row-\d{1,15})"')


class _Named(msgspec.Struct):
    custom_id: str = ""


def prepare(
    manifest: Manifest, folder: Path, wanted: list[str], talk: Client, changes: dict[str, Any]
) -> Manifest:
    """Write the lines with the custom ids `wanted` again and return the new campaign.

    Parameters
    ----------
    manifest, folder
        Of the campaign that they failed in.
    wanted
        Custom ids.
    talk
        The service.
    changes
        ``model``, ``cluster`` and parameters; None leaves what there was.

    Raises
    ------
    UsageError
        There are none, or the input is not here any more.
    """
    with shared.held(manifest, folder):
        return _under_way(manifest, folder) or _made(manifest, folder, wanted, talk, changes)


def _made(
    manifest: Manifest, folder: Path, wanted: list[str], talk: Client, changes: dict[str, Any]
) -> Manifest:
    if not wanted:
        raise UsageError(f"No row of {manifest.name} failed.", do="Read it:  b.results()")
    model, cluster = changes.pop("model"), changes.pop("cluster")
    chosen = talk.batch_model(model or manifest.model, cluster or (manifest.cluster or None))
    known = CHAT_PARAMETERS if manifest.kind == "chat" else {"dimensions": lambda _: ""}
    settings = given(changes, known, gateway=True, kind="a batch")
    if chosen.id != manifest.model:
        settings["model"] = chosen.id
    written = write_parts(
        [(_changed(_lines(manifest, folder, set(wanted)), settings), len(wanted))],
        folder,
        private=_is_private(manifest, folder),
    )
    number = len(manifest.retries) + 1
    name = f"{manifest.name}-retry{number}-{written.digest[:8]}"
    made = replace(
        manifest,
        name=name,
        model=chosen.id,
        cluster=chosen.cluster,
        parts=written.named(name),
        rows=0,
        parameters={**manifest.parameters, **{k: v for k, v in settings.items() if k != "model"}},
        created=batch_manifest.now(),
        retry_of=manifest.name,
        retries=[],
    )
    index = batch_manifest.read_index(folder, manifest.name) if manifest.rows else None
    if index is not None:
        ids = "row-" + index[batch_manifest.POSITION].astype(str)
        rows = index[ids.isin(wanted).to_numpy()]
        made.rows = len(rows)
        batch_manifest.write_index(
            rows.index, rows.reset_index(drop=True), batch_manifest.index_path(folder, name)
        )
    batch_manifest.write(made, folder)
    manifest.retries.append(name)
    batch_manifest.write(manifest, folder)
    return made


def _under_way(manifest: Manifest, folder: Path) -> Manifest | None:
    """Return the newest campaign of this kind that has not ended."""
    for one in campaigns(manifest, folder):
        if any(part.status not in ENDED for part in one.parts):
            return one
    return None


def campaigns(manifest: Manifest, folder: Path) -> list[Manifest]:
    """Return the campaigns that sent failed rows again, and what failed of those; newest first.

    Parameters
    ----------
    manifest, folder
        Of the campaign that the rows failed in.

    Raises
    ------
    UsageError
        One cannot be read.
    """
    found: dict[str, Manifest] = {}
    names = list(manifest.retries)
    while names:
        name = names.pop()
        one = batch_manifest.read(batch_manifest.path_of(folder, name))
        if one is not None and name not in found:
            found[name] = one
            names += one.retries
    return sorted(found.values(), key=lambda one: one.created, reverse=True)


def _is_private(manifest: Manifest, folder: Path) -> bool:
    return not (folder / manifest.parts[0].name).stat().st_mode & 0o004


def _lines(manifest: Manifest, folder: Path, wanted: set[str]) -> Iterator[bytes]:
    named = msgspec.json.Decoder(_Named).decode
    found = set()
    for part in manifest.parts:
        try:
            with (folder / part.name).open("rb") as file:
                for line in file:
                    ours = _OURS.match(line)
                    one = ours[1].decode() if ours else named(line).custom_id
                    if one in wanted:
                        found.add(one)
                        yield line if line.endswith(b"\n") else line + b"\n"
        except (OSError, msgspec.DecodeError) as error:
            raise UsageError(
                f"The input {folder / part.name} cannot be read: {error}",
                do="Submit the rows again:  alcf.submit_batch(df.loc[…], …)",
            ) from None
    if len(found) < len(wanted):
        raise UsageError(
            f"{len(wanted) - len(found):,} of the failed lines are not in the input any more.",
            do="Submit the rows again:  alcf.submit_batch(df.loc[…], …)",
        )


def _changed(lines: Iterator[bytes], settings: dict[str, Any]) -> Iterator[bytes]:
    for line in lines:
        if not settings:
            yield line
            continue
        told = msgspec.json.decode(line)
        told["body"].update(settings)
        yield write_json(told) + b"\n"
