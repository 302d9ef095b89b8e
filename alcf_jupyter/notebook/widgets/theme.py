"""Whether the page is light or dark, told to the kernel as it changes."""

from __future__ import annotations

from typing import Any

import anywidget
import traitlets

_SCRIPT = """
function isDark() {
  const light = document.body.dataset.jpThemeLight;
  if (light) return light === "false";
  if (document.body.dataset.vscodeThemeKind)
    return !document.body.dataset.vscodeThemeKind.includes("light");
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}
export default {
  initialize({ model }) {
    const tell = () => {
      if (model.get("dark") === isDark()) return;
      model.set("dark", isDark());
      model.save_changes();
    };
    const watcher = new MutationObserver(tell);
    watcher.observe(document.body, { attributes: true });
    tell();
    return () => watcher.disconnect();
  },
};
"""
# jupyter-scatter makes a text above a point as narrow as its longest word
_STYLE = """
.alcf-map div[style*='-webkit-line-clamp'] { min-width: 22em; }
.alcf-map ul { margin: 0; padding-left: 1.5em; line-height: 1.6; }
"""


class Theme(anywidget.AnyWidget):
    """An element without a size that knows the page's theme."""

    _esm = _SCRIPT
    _css = _STYLE
    dark = traitlets.Bool(default_value=False).tag(sync=True)

    def __repr__(self) -> str:
        return "<theme of the page>"

    def _repr_mimebundle_(self, **_options: Any) -> tuple[dict[Any, Any], dict[Any, Any]]:
        return {"text/plain": repr(self)}, {}
