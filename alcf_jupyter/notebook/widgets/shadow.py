"""What a widget shows of itself where widgets are not: on GitHub, in docs, in an export."""

from __future__ import annotations

from typing import Any

import ipywidgets as widgets


class Shadowed(widgets.VBox):  # type: ignore[misc]
    """A column of widgets that is plain HTML and plain text, too."""

    def shadow(self) -> str:
        """Return what is shown now, as plain HTML: all that stands in its own HTML widgets."""
        shown = [part.value for part in self.children if isinstance(part, widgets.HTML)]
        return "".join(f"<div>{html}</div>" for html in shown)

    def plain(self) -> str:
        """Return what is shown now, as plain text."""
        return repr(self)

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = super()._repr_mimebundle_(**options) or {}
        return {**bundle, "text/plain": self.plain(), "text/html": self.shadow()}
