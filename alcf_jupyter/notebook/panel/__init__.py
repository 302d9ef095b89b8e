"""The kernel's side of the JupyterLab panel; `protocol.json` is what both sides follow."""
