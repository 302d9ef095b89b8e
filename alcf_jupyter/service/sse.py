"""Server-sent events: bytes as they arrive, in any cut, to the data of each event."""

from __future__ import annotations

from alcf_jupyter.errors import AnswerError

MAX_EVENT_BYTES = 8_000_000
"""The gateway drops events over 150 kB; whatever sends more than this is not sending tokens."""


class EventReader:
    """Reads a stream of server-sent events.

    Lines may end in LF, CRLF or CR, comments and other fields are passed over, and a cut may fall
    anywhere, also inside a character or between CR and LF. What stands after the last empty line
    when the stream ends is no event (the rule of the HTML standard).
    """

    def __init__(self) -> None:
        self._rest = b""
        self._held_cr = False
        self._started = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and return the data of each event they complete.

        Raises
        ------
        AnswerError
            An event grows over `MAX_EVENT_BYTES`.
        """
        if self._held_cr or b"\r" in chunk:
            chunk = self._newlines(chunk)
        if not self._started and (self._rest or chunk):
            buffered = self._rest + chunk
            if len(buffered) < 3 and b"\xef\xbb\xbf".startswith(buffered):
                self._rest = buffered
                return []
            self._started = True
            self._rest, chunk = b"", buffered.removeprefix(b"\xef\xbb\xbf")
        # a blank line may straddle the cut, so one byte before it is looked at again
        if b"\n\n" not in self._rest[-1:] + chunk:
            self._rest += chunk
            self._check_size()
            return []
        *events, self._rest = (self._rest + chunk).split(b"\n\n")
        self._check_size()
        found = []
        for event in events:
            if event.startswith(b"data: ") and b"\n" not in event:
                found.append(event[6:])
            elif (data := _data_of(event)) is not None:
                found.append(data)
        return found

    def _check_size(self) -> None:
        if len(self._rest) > MAX_EVENT_BYTES:
            self._rest = b""
            raise AnswerError(
                f"The stream sent one event of over {MAX_EVENT_BYTES:,} bytes; it was stopped.",
                do="Run the cell again, with --no-stream if it happens twice.",
            )

    def _newlines(self, chunk: bytes) -> bytes:
        if self._held_cr:
            chunk = b"\r" + chunk
        self._held_cr = chunk.endswith(b"\r")
        if self._held_cr:
            chunk = chunk[:-1]
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _data_of(event: bytes) -> bytes | None:
    lines = [
        line[5:].removeprefix(b" ")
        for line in event.split(b"\n")
        if line == b"data" or line.startswith(b"data:")
    ]
    return b"\n".join(lines) if lines else None
