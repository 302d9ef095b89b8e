"""%alcf connect: what it says of the service that is taken."""

import re

import pytest

from alcf_jupyter.connection import session
from alcf_jupyter.notebook.commands.connecting import connect
from tests.connection.faultserver import serving


@pytest.fixture(autouse=True)
def before():
    """Leave the connection to the next test as it was."""
    current = session.current()
    client, overridden = current.client, current.overridden
    yield
    current.client, current.overridden = client, overridden


def test_where_the_environment_wins_it_says_how_to_have_the_other(clean_environ):
    with serving() as mine, serving() as theirs:
        clean_environ["ALCF_JUPYTER_SERVICE"] = theirs.plain
        told = connect(mine.plain)
        assert f"in place of {mine.plain!r}" in told
        [name] = re.search(r"%env (\w+)=  and run the cell again", told).groups()
        clean_environ[name] = ""
        assert "in place of" not in connect(mine.plain)
        assert session.client().url == mine.plain
