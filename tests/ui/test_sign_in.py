"""Signing in as a person does it in a real JupyterLab: a link, a code, and then the answer."""

import json

import pytest

from tests.globus_auth import ALICE

pytestmark = pytest.mark.browser

CHAT = "%%alcf_chat -m sandbox/echo\nHello from the other side"


@pytest.fixture
def signed_out(notebook, auth, alcf):
    """A notebook with a chat cell, connected to the gateway, where nobody is signed in."""
    notebook.open(
        [
            "\n".join(
                [
                    "%load_ext alcf_jupyter",
                    f"%env GLOBUS_SDK_SERVICE_URL_AUTH={auth.url}",
                    f"%alcf connect {alcf.url}",
                ]
            ),
            CHAT,
            "%alcf whoami",
            "%alcf login",
            "%alcf logout --all",
        ]
    )
    notebook.run(0)
    yield notebook
    notebook.run(4)


def code_of(notebook, index):
    """Click the link, and copy the code from the page that opens."""
    with notebook.page.context.expect_page() as opened:
        notebook.output(index).get_by_role("link", name="Open the Globus sign-in page").click()
    page = opened.value
    code = page.locator("code").inner_text()
    assert page.evaluate("window.opener") is None
    page.close()
    return code


def test_a_chat_cell_that_needs_it_signs_in_and_then_answers(
    signed_out, auth, lab, record, pictures
):
    book = signed_out
    book.run(1)
    field = book.output(1).get_by_label("Code")
    field.wait_for()
    assert field.get_attribute("type") == "password"
    text = book.output(1).inner_text()
    assert "NotSignedInError: You are not signed in to the ALCF Inference Endpoints." in text
    link = book.output(1).get_by_role("link", name="Open the Globus sign-in page")
    assert link.get_attribute("href").startswith(f"{auth.url}v2/oauth2/authorize")
    assert "authorize" not in text.partition("Copy the code")[0], "it would bury the error"
    assert link.get_attribute("href") in text, "it is there for who sees no panel"
    book.pictures(pictures, "sign-in")

    # a wrong code first, typed and sent with the keyboard alone
    field.focus()
    book.page.keyboard.type("wrong code")
    book.page.keyboard.press("Enter")
    status = book.output(1).get_by_role("status")
    status.get_by_text("Globus does not take this code.").wait_for()
    assert field.input_value() == ""
    book.pictures(pictures, "sign-in-wrong-code", book.cell(1))

    code = code_of(book, 1)
    field.fill(code)
    book.click("Sign in", 1)
    status.get_by_text("Signed in as Alice Example (alice@anl.gov)").wait_for()
    assert not field.is_visible()
    book.pictures(pictures, "signed-in", book.cell(1))
    assert auth.authorized[-1]["prefill_named_grant"].startswith("alcf_jupyter on ")

    # what is seen where no widget is, changes with it
    book.wait_for_output(1, "<p>Signed in")
    (shown,) = [output["data"] for output in book.outputs(1) if "data" in output]
    assert shown["text/html"] == "<p>Signed in to the ALCF Inference Endpoints.</p>"
    (answer,) = book.run(1)
    assert "Hello from the other side" in answer["data"]["text/html"]
    assert "sandbox/echo @ sophia" in book.output(1).inner_text()
    book.run(2)
    assert "through Argonne LCF" in book.output(2).inner_text()
    book.run(3)
    assert "Signed in as Alice Example" in book.output(3).inner_text()
    assert book.output(3).get_by_label("Code").count() == 0
    book.pictures(pictures, "after-sign-in")
    saved = _saved(book, lab)
    assert [secret for secret in [*auth.secrets, code, "wrong code"] if secret in saved] == []
    assert (record.outside, record.dialogs, record.errors) == ([], [], [])


def test_the_panel_of_login_works_with_enter_and_leaves_nothing_behind(signed_out, auth, lab):
    book = signed_out
    book.run(3)
    field = book.output(3).get_by_label("Code")
    code = code_of(book, 3)
    field.focus()
    book.page.keyboard.insert_text(f"  {code}\t")
    book.page.keyboard.press("Enter")
    book.output(3).get_by_role("status").get_by_text("Signed in as").wait_for()
    saved = _saved(book, lab)
    assert ALICE not in json.dumps(auth.authorized)
    assert [secret for secret in [*auth.secrets, code] if secret in saved] == []
    log = (lab.folder.parent / "server.log").read_text()
    assert [secret for secret in [*auth.secrets, code] if secret in log] == []


def _saved(book, lab):
    """Save with the state of the widgets, as a person may choose to, and return the file."""
    book.page.evaluate(
        """() => {
          const { commands } = window.jupyterapp;
          const save = '@jupyter-widgets/jupyterlab-manager:saveWidgetState';
          if (!commands.isToggled(save)) void commands.execute(save);
        }"""
    )
    book.settle(0.5)
    book.page.evaluate("window.jupyterapp.shell.currentWidget.context.model.dirty = true")
    book.save()
    text = (lab.folder / book.path).read_text()
    assert "application/vnd.jupyter.widget-state+json" in text
    assert "PasswordModel" in text
    return text
