"""Server-sent events: bytes as they arrive, in any cut, to the data of each event."""

from __future__ import annotations

from alcf_jupyter.errors import AnswerError

MAX_EVENT_BYTES = 8_000_000
"""The gateway drops events over 150 kB; whatever sends more than this is not sending tokens."""

_BOM = b"\xef\xbb\xbf"


class EventReader:
    """Reads a stream of server-sent events.

    Lines may end in LF, CRLF or CR, comments and other fields are passed over, and a cut may fall
    anywhere, also inside a character or between CR and LF. What stands after the last empty line
    when the stream ends is no event (the rule of the HTML standard).
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self._after_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the data of each event they complete.

        Raises
        ------
        AnswerError
            An event grows over `MAX_EVENT_BYTES`.
        """
        if self._after_cr or b"\r" in chunk:
            chunk = self._newlines(chunk)
        if not self._started:
            chunk = self._without_bom(chunk)
        if not chunk:
            return []
        parts = self._parts
        if b"\n\n" not in chunk and not (parts and parts[-1][-1] == chunk[0] == 10):
            # kept in pieces: joining them at every chunk would cost the square of a long event
            parts.append(chunk)
            self._size += len(chunk)
            self._check_size()
            return []
        if parts:
            parts.append(chunk)
            chunk = b"".join(parts)
            parts.clear()
        *events, rest = chunk.split(b"\n\n")
        if rest:
            parts.append(rest)
        self._size = len(rest)
        if chunk.count(b"\n") - rest.count(b"\n") == 2 * len(events):
            # one line each, as a stream of tokens has them: the quick way, if all are data
            found = [event[6:] for event in events if event.startswith(b"data: ")]
            if len(found) == len(events):
                return found
        return [data for event in events if (data := _data_of(event)) is not None]

    def _check_size(self) -> None:
        if self._size > MAX_EVENT_BYTES:
            self._parts.clear()
            self._size = 0
            raise AnswerError(
                f"The stream sent one event of over {MAX_EVENT_BYTES:,} bytes; it was stopped.",
                do="Run it again; if it happens twice, with --no-stream (in Python: alcf.chat).",
            )

    def _newlines(self, chunk: bytes) -> bytes:
        """Make every line end an LF; a CR ends its line at once, whatever the next chunk brings."""
        if self._after_cr and chunk:
            chunk = chunk.removeprefix(b"\n")
            self._after_cr = False
        if chunk:
            self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _without_bom(self, chunk: bytes) -> bytes:
        """Take the mark off the start of the stream, once enough has come to see whether it is."""
        start = b"".join(self._parts) + chunk
        self._parts.clear()
        self._size = 0
        if len(start) < len(_BOM) and _BOM.startswith(start):
            if start:
                self._parts.append(start)
            return b""
        self._started = True
        return start.removeprefix(_BOM)


def _data_of(event: bytes) -> bytes | None:
    lines = [
        line[5:].removeprefix(b" ")
        for line in event.split(b"\n")
        if line == b"data" or line.startswith(b"data:")
    ]
    return b"\n".join(lines) if lines else None
