"""A real JupyterLab in a real browser: one server, one Chromium and one page for all tests."""
