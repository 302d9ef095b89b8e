"""What the doctor finds in real environments that are wrong, and the line it says to type."""

import json
import re
import socket
import subprocess
import sys
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import pytest
from packaging.requirements import Requirement

import alcf_jupyter as alcf_
from alcf_jupyter import __version__
from alcf_jupyter.connection import session
from alcf_jupyter.errors import AlcfError, UsageError
from alcf_jupyter.notebook.commands import table
from alcf_jupyter.notebook.doctor import (
    browser,
    examine,
    extension,
    kernels,
    packages,
    proxies,
    service,
    settings,
    sign_in,
    site,
    state,
)
from alcf_jupyter.notebook.doctor.finding import from_error, note, ok, problem
from alcf_jupyter.notebook.doctor.lines import short
from alcf_jupyter.notebook.doctor.report import Report
from alcf_jupyter.notebook.panel import frontend
from tests.globus_auth import OLDER, store_path
from tests.notebook.test_magics import Notebook
from tests.proxying import HOST, Proxy, tls_front


@pytest.fixture(autouse=True)
def unconnected(clean_environ, tmp_path):
    """A kernel that is connected to nothing, in an environment with no Jupyter of a person's."""
    clean_environ["JUPYTER_CONFIG_DIR"] = str(tmp_path / "config")
    before, session.current().client = session.current().client, None
    yield
    session.current().client = before


def levels(findings):
    return [finding.level for finding in findings]


def only(findings, level="problem"):
    [found] = [finding for finding in findings if finding.level == level]
    return found


class TestPackages:
    def test_here_all_is_as_needed(self):
        assert levels(packages.check()) == ["ok", "ok"]
        assert dict(packages.versions())["httpx"]

    @pytest.mark.parametrize("line", ["pandas<1", "pandas>=99", "no-such-package>=1"])
    def test_what_is_missing_too_old_or_too_new_is_named_with_its_bounds(self, line):
        found = packages._unfit(Requirement(line))
        assert found.level == "problem"
        assert line in found.says
        assert found.do.endswith(f'-m pip install --upgrade "{line}"')

    def test_what_is_loaded_but_no_longer_installed_wants_a_restart(self, tmp_path, monkeypatch):
        (tmp_path / "alcf_demo.py").write_text("__version__ = '1.0'")
        about = tmp_path / "alcf_demo-1.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: alcf-demo\nVersion: 1.1\n")
        monkeypatch.syspath_prepend(tmp_path)
        assert packages._stale("alcf-demo") is None
        __import__("alcf_demo")
        found = packages._stale("alcf-demo")
        assert found == note(
            "Packages", "alcf-demo 1.0 is loaded, 1.1 installed", "Restart the kernel"
        )
        del sys.modules["alcf_demo"]


GOOD = {
    "jupyterlab": "4.6.6",
    "alcf-jupyter": __version__,
    browser.MANAGER: "5.0.15",
    "anywidget": packages.installed("anywidget"),
}


class TestBrowser:
    def test_what_fits_is_fine(self):
        assert set(levels(browser.compare(GOOD))) == {"ok"}

    @pytest.mark.parametrize("extension", ["anywidget", browser.MANAGER])
    def test_what_is_there_in_a_version_that_nobody_tells_is_fine(self, extension):
        assert set(levels(browser.compare({**GOOD, extension: ""}))) == {"ok"}

    @pytest.mark.parametrize(
        ("told", "level", "said", "do"),
        [
            ({"jupyterlab": "4.2.1"}, "problem", "4.4 or later", "jupyterlab>=4.4"),
            ({"alcf-jupyter": "0.0.1"}, "problem", "0.0.1 in the browser", "labextension --user"),
            ({"alcf-jupyter": "0.0.1+mine"}, "problem", "0.0.1+mine in", "labextension --user"),
            ({"alcf-jupyter": "99.0+mine"}, "problem", "99.0+mine in", "install --upgrade alcf"),
            ({"alcf-jupyter": "<b>"}, "problem", "<b> in the browser", "Reload the page"),
            ({browser.MANAGER: None}, "problem", "shown as text", "install jupyterlab-widgets"),
            ({browser.MANAGER: "3.1.0"}, "problem", "cannot show", "--upgrade jupyterlab-widgets"),
            ({"anywidget": None}, "note", "a picture only", "pip install anywidget"),
            ({"anywidget": "0.1.2"}, "note", "anywidget 0.1.2", "pip install anywidget=="),
        ],
    )
    def test_what_does_not_fit_is_told_with_what_mends_it(self, told, level, said, do):
        merged = {name: version for name, version in {**GOOD, **told}.items() if version}
        found = only(list(browser.compare(merged)), level)
        assert said in found.says
        assert do in found.do

    def test_a_panel_s_report_is_what_is_compared(self, monkeypatch):
        monkeypatch.setattr(frontend, "_reported", None)
        assert list(browser.check()) == []
        assert browser.versions() == []
        frontend.report("0.0.1", {"jupyterlab": "4.6.6"})
        assert "problem" in levels(browser.check())
        assert ("jupyterlab", "4.6.6") in browser.versions()


class TestExtension:
    @pytest.fixture
    def folder(self, clean_environ, tmp_path):
        clean_environ["JUPYTER_PATH"] = str(tmp_path)
        clean_environ["JUPYTER_PREFER_ENV_PATH"] = "0"
        path = tmp_path / "labextensions" / "alcf-jupyter"
        path.mkdir(parents=True)
        return path

    @pytest.mark.parametrize(
        ("text", "level", "said"),
        [
            (f'{{"version": "{__version__}"}}', "ok", __version__),
            ('{"version": "0.0.1"}', "note", "0.0.1 in"),
            ("[]", "note", "of unknown version in"),
        ],
    )
    def test_the_first_one_that_jupyterlab_would_find(self, folder, text, level, said):
        (folder / "package.json").write_text(text)
        [found] = extension.check()
        assert (found.level, said in found.says) == (level, True)
        assert str(folder) in found.says
        assert bool(found.do) == (level == "note")

    def test_one_of_the_user_is_replaced_there(self, clean_environ):
        place = Path(clean_environ["HOME"], ".local/share/jupyter/labextensions/alcf-jupyter")
        place.mkdir(parents=True)
        (place / "package.json").write_text('{"version": "0.0.1"}')
        clean_environ["JUPYTER_PREFER_ENV_PATH"] = "0"
        [found] = extension.check()
        assert found.do == "alcf-jupyter install-labextension --user"

    def test_half_a_file_is_none(self, folder):
        (folder / "package.json").write_text('{"version')
        told = extension.there()
        assert told is None or told[0] != folder


class TestKernels:
    @pytest.fixture
    def spec(self, clean_environ, tmp_path):
        clean_environ["JUPYTER_PATH"] = str(tmp_path)

        def write(name, *argv, **more):
            path = tmp_path / "kernels" / name / "kernel.json"
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps({"argv": [*argv], "display_name": name, **more}))
            return path

        return write

    def test_a_program_that_is_gone(self, spec):
        spec("old", "/nowhere/bin/python", "-m", "ipykernel_launcher")
        found = only(kernels.check())
        assert found.says == "old would start /nowhere/bin/python, which is not there"
        assert found.do == "jupyter kernelspec remove old"
        assert ("old", "old (/nowhere/bin/python)") in kernels.listed()

    def test_a_program_beside_the_specification_is_found_as_jupyter_finds_it(self, spec):
        starter = spec("site", "{resource_dir}/start.sh").parent / "start.sh"
        gone = only(kernels.check())
        assert gone.says == f"site would start {starter}, which is not there"
        starter.write_text("#!/bin/sh")
        starter.chmod(0o700)
        assert "problem" not in levels(kernels.check())
        assert ("site", f"site ({starter})") in kernels.listed()

    def test_what_another_machine_starts_is_not_looked_for_here(self, spec, tmp_path, monkeypatch):
        about = tmp_path / "nodes-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: nodes\nVersion: 1.0\n")
        started = "jupyter_client.provisioning.local_provisioner:LocalProvisioner"
        entry = f"[jupyter_client.kernel_provisioners]\nnodes = {started}\n"
        (about / "entry_points.txt").write_text(entry)
        monkeypatch.syspath_prepend(tmp_path)
        provisioner = {"kernel_provisioner": {"provisioner_name": "nodes"}}
        spec("node", "/nodes/only/python", metadata=provisioner)
        spec("here", "/nodes/only/python", metadata={"kernel_provisioner": {}})
        assert only(kernels.check()).says.startswith("here would start")

    def test_a_program_of_another_language_is_not_this_environment(self, spec):
        spec("ir", "R", "--slave")
        assert ("ir", "ir (R)") in kernels.listed()
        spec("mine", "python3")
        assert ("mine", "mine (this environment)") in kernels.listed()

    def test_a_proxy_s_password_that_others_can_read(self, spec):
        path = spec("mine", sys.executable, env={"https_proxy": "http://me:canary@proxy:3128"})
        path.chmod(0o644)
        found = only(kernels.check())
        assert found.do == f"chmod 600 {path}"
        assert "canary" not in f"{found} {kernels.listed()}"
        path.chmod(0o600)
        assert "problem" not in levels(kernels.check())


class TestProxies:
    @pytest.mark.parametrize(
        ("environ", "level", "said", "do"),
        [
            ({}, "ok", "none is set", ""),
            ({"https_proxy": "http://p:1", "no_proxy": "localhost,127.0.0.1"}, "ok", "https;", ""),
            (
                {"https_proxy": "http://p:1", "no_proxy": ".anl.gov"},
                "note",
                "beyond the proxy",
                "export no_proxy=127.0.0.1,localhost,.anl.gov",
            ),
            (
                {"https_proxy": "http://p:1", "no_proxy": ".anl.gov, a"},
                "note",
                "beyond the proxy",
                "export no_proxy='127.0.0.1,localhost,.anl.gov, a'",
            ),
            ({"http_proxy": "http://p:x"}, "problem", "no address", "export http_proxy=http://"),
            (
                {"https_proxy": "http://p:1", "HTTPS_PROXY": "http://q:1", "no_proxy": "*"},
                "note",
                "differ",
                'export HTTPS_PROXY="$https_proxy"',
            ),
        ],
    )
    def test_each_is_looked_at(self, clean_environ, environ, level, said, do):
        for name in ("no_proxy", "NO_PROXY"):
            clean_environ.pop(name)
        clean_environ.update(environ)
        found = only([one for one in proxies.check() if said in one.says], level)
        assert found.do.startswith(do)

    def test_no_password_is_shown(self, clean_environ):
        clean_environ["https_proxy"] = "http://me:canary@proxy.example:3128?canary"
        clean_environ["http_proxy"] = "me:canary@proxy.example:x"
        shown = f"{list(proxies.check())} {proxies.listed()}"
        assert "canary" not in shown
        assert "http://proxy.example:3128 (with a password)" in shown


class TestSettings:
    @pytest.fixture(autouse=True)
    def no_settings(self, clean_environ):
        """Take out what says how these tests are run."""
        for name in [name for name in clean_environ if name.startswith("ALCF_")]:
            del clean_environ[name]

    def test_a_misspelled_one_is_told_with_what_was_meant(self, clean_environ):
        clean_environ["ALCF_JUPYTER_MODLE"] = "gpt"
        [found] = settings.check()
        expected = "there is no setting ALCF_JUPYTER_MODLE"
        do = 'export ALCF_JUPYTER_MODEL="$ALCF_JUPYTER_MODLE"'
        assert found == note("Settings", expected, do)

    def test_one_that_is_like_none_is_not_taken_for_another(self, clean_environ):
        clean_environ["ALCF_JUPYTER_WORKERS"] = "3"
        [found] = settings.check()
        assert found == note("Settings", "there is no setting ALCF_JUPYTER_WORKERS")

    def test_a_token_under_a_wrong_name_is_not_shown(self, clean_environ):
        clean_environ["ALCF_JUPYTER_TOKEN"] = "canary"
        [found] = settings.check()
        assert found.do == 'export ALCF_AI_TOKEN="$ALCF_JUPYTER_TOKEN"'

    def test_those_of_other_programs_are_not_used(self, clean_environ):
        clean_environ["MODEL_NAME"] = "m"
        [found] = settings.check()
        assert found.do == "alcf.connect(ADDRESS, token=…)"
        for address, line in {
            "http://127.0.0.1:11434": "alcf.connect('http://127.0.0.1:11434/v1')",
            "https://host/v1?key=canary": "alcf.connect('https://host/v1', token=…)",
            "https://me:canary@host/v1": "alcf.connect(ADDRESS, token=…)",
            "https://metis.alcf.anl.gov/x/v1": "alcf.connect('~/metis_endpoint_*.txt')",
            "sandbox": "alcf.connect(ADDRESS, token=…)",
        }.items():
            clean_environ["OPENAI_BASE_URL"] = address
            [found] = settings.check()
            assert found.do == line
            assert found.says == "OPENAI_BASE_URL and MODEL_NAME are not used here"
            told = table.COMMANDS["connect"]("http://127.0.0.1:9/v1").splitlines()[1]
            assert told == f"{found.says}; to talk to that server:  {line}"

    def test_secrets_are_only_said_to_be_set(self, clean_environ):
        clean_environ.update(ALCF_AI_TOKEN="canary", ALCF_JUPYTER_SERVICE="https://a:canary@b/v1")
        assert settings.listed() == [
            ("ALCF_JUPYTER_SERVICE", "https://b/v1 (with a password)"),
            ("ALCF_AI_TOKEN", "set"),
        ]

    def test_a_record_is_told_in_either_mode_and_stops_all_asking(self, clean_environ, alcf):
        path = Path(clean_environ["HOME"]) / "answers.json"
        clean_environ["ALCF_JUPYTER_SERVICE"] = alcf.url
        alcf_.replay("record", path)
        assert list(settings.check()) == [ok("Replay", "answers are recorded in ~/answers.json")]
        alcf_.connect(alcf.url, token=alcf.secret)
        alcf_.models()
        alcf_.replay("only", path)
        try:
            [found] = settings.check()
            said = "answers come from ~/answers.json alone; nothing is sent"
            assert found == note("Replay", said, "export ALCF_JUPYTER_REPLAY=off")
            before = len(alcf.requests())
            assert "as answers are played" in only(service.check(offline=False), "note").says
            assert "ok" not in levels(sign_in.check(offline=False))
            assert len(alcf.requests()) == before
        finally:
            alcf_.replay("off")


class TestSite:
    def test_what_it_sets_is_told_and_a_wrong_one_is_a_problem(self, clean_environ):
        assert list(site.check()) == []
        home = Path(clean_environ["HOME"])
        clean_environ["JUPYTER_CONFIG_PATH"] = str(home)
        path = home / "alcf_jupyter.toml"
        path.write_text('proxy = "http://me:canary@proxy:3128"\n[models]\nchat = "gpt"')
        [found] = site.check()
        told = "~/alcf_jupyter.toml sets proxy http://proxy:3128 (with a password), chat model gpt"
        assert found == ok("Site", told)
        path.write_text("proxi = 1")
        [found] = site.check()
        assert found.level == "problem"
        assert "~/alcf_jupyter.toml" in found.says
        assert found.do.startswith("Mend the file")


class TestState:
    @pytest.fixture
    def folder(self, clean_environ):
        path = Path(clean_environ["HOME"]) / "state"
        clean_environ["ALCF_JUPYTER_STATE"] = str(path)
        return path

    def test_it_is_not_made_by_looking(self, folder):
        assert list(state.check()) == [ok("State", "~/state, not made yet")]
        assert not folder.exists()

    def test_one_that_is_private_is_fine_and_its_size_is_told(self, folder):
        folder.mkdir(mode=0o700)
        (folder / "run").write_bytes(b"x" * 2_500_000)
        assert list(state.check()) == [ok("State", "~/state, 2.5 MB")]

    def test_one_that_is_open_to_others(self, folder):
        folder.mkdir()
        folder.chmod(0o755)
        found = only(state.check(), "note")
        assert found.says == "~/state is open to others (mode 755)"
        assert found.do == "chmod 700 ~/state"

    def test_one_that_cannot_be(self, folder):
        folder.write_text("a file")
        found = only(state.check())
        assert found.says == "~/state cannot be written, so runs are not kept"
        assert found.do.startswith("export ALCF_JUPYTER_STATE=")


@contextmanager
def page(body, status=200):
    """Serve one page at every address, as a portal does."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


class TestService:
    def test_one_that_answers_is_asked_without_a_token(self, alcf, clean_environ):
        clean_environ["ALCF_JUPYTER_SERVICE"] = alcf.url
        [found] = service.check(offline=False)
        assert found.level == "ok"
        assert re.search(r"answers directly, after \d\.\d s$", found.says)
        assert alcf.requests("/whoami")[-1]["status"] == 401

    def test_one_that_is_not_there(self, clean_environ):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))  # and nobody else takes it meanwhile
            url = f"http://127.0.0.1:{free.getsockname()[1]}"
            clean_environ["ALCF_JUPYTER_SERVICE"] = f"{url}/resource_server"
            found = only(service.check(offline=False))
        assert f"{url} cannot be reached" in found.says
        assert found.do

    def test_one_that_hangs_is_given_up(self, clean_environ, monkeypatch):
        monkeypatch.setattr(service, "SECONDS", 0.3)
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/resource_server"
            clean_environ["ALCF_JUPYTER_SERVICE"] = url
            found = only(service.check(offline=False))
        assert "0s" in found.says or "0.3" in found.says

    @pytest.mark.parametrize("end", ["resource_server", "v1"])
    def test_a_portal_s_page_is_not_the_service(self, clean_environ, end):
        with page(b"<html><title>Please sign in to the guest network</title></html>") as url:
            clean_environ["ALCF_JUPYTER_SERVICE"] = f"{url}/{end}"
            found = only(service.check(offline=False))
        assert found.do

    def test_through_a_proxy(self, alcf, clean_environ, tmp_path):
        front, certificate = tls_front(urlsplit(alcf.url).port, tmp_path)
        proxy = Proxy(front.port)
        clean_environ["SSL_CERT_FILE"] = str(certificate)
        clean_environ["https_proxy"] = proxy.url.replace("http://", "http://me:canary@")
        clean_environ["ALCF_JUPYTER_SERVICE"] = f"https://{HOST}/resource_server"
        [found] = service.check(offline=False)
        assert found.level == "ok"
        assert f"answers through {proxy.url} (with a password)" in found.says
        assert proxy.targets == [f"{HOST}:443"]
        front.close()
        proxy.close()
        assert levels(service.check(offline=False)) == ["problem"]

    def test_offline_nothing_is_sent(self, alcf, clean_environ):
        clean_environ["ALCF_JUPYTER_SERVICE"] = alcf.url
        before = len(alcf.requests())
        [found] = service.check(offline=True)
        assert found == note("Service", f"{alcf.url}: not asked")
        assert len(alcf.requests()) == before

    def test_the_sandbox_is_not_started_for_it(self, clean_environ):
        clean_environ["ALCF_JUPYTER_SERVICE"] = "sandbox"
        [found] = service.check(offline=False)
        assert found == ok("Service", "the sandbox, which is started when it is needed")

    def test_what_cannot_be_connected_to(self, clean_environ):
        clean_environ["ALCF_JUPYTER_SERVICE"] = "sandbux"
        found = only(service.check(offline=False))
        assert "sandbux" in found.says
        assert found.do == "Type:  export ALCF_JUPYTER_SERVICE=sandbox"

    def test_an_endpoint_s_file_that_others_can_read(self, clean_environ):
        path = Path(clean_environ["HOME"]) / "my keys" / "metis_endpoint_1.txt"
        path.parent.mkdir()
        with page(b"{}", 401) as url:
            lines = [f"BASE_URL={url}/v1", "SAMBANOVA_API_KEY=canary", "MODELS=m"]
            path.write_text("\n".join(lines))
            path.chmod(0o644)
            clean_environ["ALCF_JUPYTER_SERVICE"] = str(path)
            found = service.check(offline=False)
        assert found[0] == problem(
            "Service",
            "~/my keys/metis_endpoint_1.txt holds a key and is open to others",
            "chmod 600 ~/'my keys/metis_endpoint_1.txt'",
        )
        assert service.check(offline=True)[0] == found[0]
        assert "canary" not in repr(found)


class TestSignIn:
    @pytest.fixture(autouse=True)
    def gateway(self, alcf, clean_environ):
        clean_environ["ALCF_JUPYTER_SERVICE"] = alcf.url
        return alcf

    def test_nobody_is_signed_in(self):
        assert sign_in.check(offline=False) == [
            problem("Sign-in", "you are not signed in", "alcf-jupyter login")
        ]

    def test_who_one_is_and_how_long_it_holds(self, auth):
        auth.store(store_path(), expires_in=7300)
        kept, who = sign_in.check(offline=False)
        assert levels([kept, who]) == ["ok", "ok"]
        assert re.search(
            r"^in ~/\.globus/.*/tokens\.json; the token holds 2h 01m and is refreshed by itself$",
            kept.says,
        )
        assert who.says == "Signed in as Alice Example (alice@anl.gov) through Argonne LCF"

    def test_offline_nobody_is_asked(self, auth, gateway):
        auth.store(store_path(), expires_in=-10)
        before = len(gateway.requests())
        [kept] = sign_in.check(offline=True)
        assert "the token has ended and is refreshed by itself" in kept.says
        assert (auth.grants, len(gateway.requests())) == ([], before)

    def test_a_token_that_has_ended_for_good(self, auth):
        auth.store(store_path(), expires_in=-10, refresh=False)
        found = only(sign_in.check(offline=False))
        assert "has ended" in found.says
        assert found.do == "alcf-jupyter login"

    def test_one_that_is_not_for_this_service(self, auth):
        auth.store(store_path(), scope="openid")
        found = only(sign_in.check(offline=True))
        assert "is not for this service" in found.says
        assert found.do == "alcf-jupyter login"

    def test_the_older_sign_in_counts_where_the_newer_has_ended(self, auth):
        auth.store(store_path(), expires_in=-10, refresh=False)
        auth.store(store_path(OLDER, "inference_app"))
        kept, who = sign_in.check(offline=False)
        assert "inference_app" in kept.says
        assert levels([kept, who]) == ["ok", "ok"]

    def test_one_that_globus_does_not_refresh_any_more(self, auth):
        auth.store(store_path(), expires_in=-10)
        auth.revoked.update(auth.refresh)
        found = only(sign_in.check(offline=False))
        assert "does not refresh it any more" in found.says
        assert "login" in found.do

    @pytest.mark.parametrize("path", [store_path, lambda: store_path(OLDER, "inference_app")])
    def test_a_file_that_others_could_read(self, auth, path):
        auth.store(path())
        path().chmod(0o644)
        found = only(sign_in.check(offline=True))
        assert "could be read by others (mode 644)" in found.says
        assert found.do == "alcf-jupyter login --force"
        assert found.says.startswith("~/")

    def test_a_folder_that_others_may_write_to(self, auth):
        auth.store(store_path())
        folder = store_path().parent
        folder.chmod(0o777)
        found = only(sign_in.check(offline=True))
        assert "others may put files into ~/.globus" in found.says
        assert found.do.startswith("chmod 700 ~/.globus")

    def test_a_damaged_file(self):
        store_path().parent.mkdir(parents=True)
        store_path().write_text("{")
        store_path().chmod(0o600)
        damaged, missing = sign_in.check(offline=True)
        assert "was damaged" in damaged.says
        assert missing.do == "alcf-jupyter login"

    def test_half_a_service_account(self, clean_environ):
        clean_environ["GLOBUS_SERVICE_ACCOUNT_CLIENT_ID"] = "one"
        found = only(sign_in.check(offline=False))
        assert "needs its id and its secret" in found.says

    def test_a_token_of_the_environment_is_asked_about(self, clean_environ, gateway):
        gateway.take("canary-of-the-environment", "expired")
        clean_environ["ALCF_AI_TOKEN"] = "canary-of-the-environment"
        kept, who = sign_in.check(offline=False)
        assert levels([kept, who]) == ["note", "problem"]
        assert "canary-of" not in f"{kept} {who}"

    def test_another_service_needs_none(self, clean_environ):
        clean_environ["ALCF_JUPYTER_SERVICE"] = "http://127.0.0.1:1/v1"
        assert sign_in.check(offline=False) == []

    def test_the_connected_service_is_the_one_that_is_asked(self, auth, gateway, clean_environ):
        clean_environ["ALCF_JUPYTER_SERVICE"] = gateway.url
        auth.store(store_path())
        alcf_.connect(gateway.url)
        clean_environ["ALCF_JUPYTER_SERVICE"] = "sandbox"
        assert levels(sign_in.check(offline=False)) == ["ok", "ok"]

    def test_no_secret_is_anywhere_in_a_report(self, auth):
        auth.store(store_path(), expires_in=-10)
        report = examine()
        shown = f"{report} {report._repr_html_()} {report.as_json()} {report!r}"
        assert "Alice Example" in shown
        assert [secret for secret in auth.secrets if secret in shown] == []


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("{home}/a: no", "~/a: no"),
        ("ls {home}", "ls ~"),
        ("({home}/a, {home}/b)", "(~/a, ~/b)"),
        ("/mnt{home}/a", "/mnt{home}/a"),
        ("{home}s/a", "{home}s/a"),
    ],
)
def test_the_home_directory_is_not_shown(clean_environ, text, shown):
    home = clean_environ["HOME"]
    assert short(text.format(home=home)) == shown.format(home=home)


class TestReport:
    FOUND = Report(
        (
            ok("Python", "3.12.1"),
            problem("Widgets", "<b>$x$\x1b[31m are shown as text", "pip install <x>"),
        ),
        {"Kernels": [("python3", "Python 3 <img>")]},
    )

    def test_text_is_short_and_plain(self):
        assert str(self.FOUND) == (
            f"alcf-jupyter {__version__}: 1 problem\n\n"
            "ok       Python      3.12.1\n"
            "problem  Widgets     <b>$x$ are shown as text\n"
            "                     → pip install <x>\n\n"
            "Kernels\n"
            "  python3  Python 3 <img>"
        )

    def test_html_is_escaped_and_no_math(self):
        shown = self.FOUND._repr_html_()
        assert "<b>problem</b>" in shown
        assert "&lt;b&gt;<span>$</span>x<span>$</span> are shown" in shown
        assert "<img" not in shown
        assert "<details><summary>Details</summary>" in shown

    def test_json_is_whole(self):
        told = json.loads(self.FOUND.as_json())
        assert (told["version"], told["problems"]) == (__version__, 1)
        assert [one["level"] for one in told["findings"]] == ["ok", "problem"]
        assert told["details"]["Kernels"] == {"python3": "Python 3 <img>"}

    def test_what_is_no_text_is_neither_shown_nor_in_the_way(self, clean_environ):
        clean_environ["no_proxy"] = "\udcff\u202e" + "host," * 100
        clean_environ["https_proxy"] = "http://p:1"
        report = examine(offline=True)
        for shown in (str(report), report._repr_html_(), report.as_json()):
            shown.encode()
            assert "\u202e" not in shown
        assert "host," * 100 in str(report), "what is to be typed is whole"
        named = Report((), {"Browser": [("\u202e\x1b[31mname", "1")]})
        assert "  name  1" in str(named)
        assert "<td>name</td>" in named._repr_html_()

    def test_where_nothing_is_wrong_that_is_said(self):
        assert str(Report((ok("Python", "3.12.1"),))).startswith(
            f"alcf-jupyter {__version__}: no problem found\n"
        )


def test_the_magic_returns_the_report(clean_environ):
    clean_environ["ALCF_JUPYTER_SERVICE"] = "sandbox"
    assert isinstance(table.COMMANDS["doctor"]("--offline"), Report)
    with pytest.raises(UsageError, match="takes no words"):
        table.COMMANDS["doctor"]("all")


def test_what_nobody_foresaw_ends_nothing(clean_environ, auth):
    auth.store(store_path())
    entries = json.loads(store_path().read_text())
    for entry in entries["data"]["DEFAULT"].values():
        entry["alcf_jupyter.signed_in_at"] = 1e30
    store_path().write_text(json.dumps(entries))
    clean_environ["ALCF_JUPYTER_SERVICE"] = "alcf"
    found = [one for one in examine(offline=True).findings if one.about == "Sign-in"]
    assert found == [problem("Sign-in", "it cannot be looked at: OverflowError")]


@pytest.mark.parametrize("missing", ["httpx", "packaging", "jupyter_core", "jupyter_client"])
def test_it_works_where_a_package_is_missing(missing):
    program = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        "from alcf_jupyter.notebook.doctor import examine\n"
        "print(examine(offline=True))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert re.search(r"^problem  .*(cannot be looked at|not installed)", done.stdout, re.MULTILINE)
    assert "ok       Proxies" in done.stdout


def test_in_a_notebook_the_lines_are_a_notebook_s():
    notebook = Notebook()
    try:
        notebook.run("%load_ext alcf_jupyter")
        notebook.run("%env https_proxy=http://small:1\n%env HTTPS_PROXY=http://large:1")
        found = notebook.run("%alcf doctor --offline").only("execute_result")["data"]
        notebook.run(re.search(r"→ (.*HTTPS_PROXY.*)", found["text/plain"])[1])
        assert notebook.value("os.environ['HTTPS_PROXY']") == "'http://small:1'"
    finally:
        notebook.close()
    text = found["text/plain"]
    assert "note     JupyterLab  no panel has reported to this kernel" in text
    assert "problem  Sign-in     you are not signed in\n" + " " * 21 + "→ %alcf login" in text
    assert "<details><summary>Details</summary>" in found["text/html"]


@pytest.mark.parametrize(
    "proxy",
    [
        "http://me:canary@h:1",
        "http://me:ca/canary@h:1",
        "http://me:canary#c@h:1",
        "http://me:canary?c@h:1",
        "http://me:canary",
        "me:canary",
        "http://me:canary/c",
        "http://h:1/?canary",
    ],
)
def test_no_part_of_a_password_is_shown_however_it_is_written(proxy):
    assert "canary" not in proxies.address(proxy)


class TestErrorsAsFindings:
    def test_sentences_do_not_run_together_and_the_line_is_a_shells(self):
        error = AlcfError(
            "It cannot be reached: Name or service not known",
            why="Nobody answers there.",
            do="Sign in again:  %alcf login --force\nOr wait.",
        )
        found = from_error("Service", error)
        assert (
            found.says == "It cannot be reached: Name or service not known. Nobody answers there."
        )
        assert found.do == "Sign in again:  alcf-jupyter login --force"

    def test_the_doctor_does_not_send_one_to_the_doctor(self):
        portal = AlcfError("It failed.", do="A portal may be there; look at:  %alcf status")
        assert from_error("Service", portal).do == "A portal may be there"
        proxy = AlcfError("It failed.", do="Look at the proxy:  %alcf status")
        assert from_error("Service", proxy).do == "Look at the proxy"

    def test_a_reason_that_a_line_mends_is_what_to_type(self):
        why = "On an ALCF compute node first type:  %env https_proxy=http://host:3128"
        found = from_error("Service", AlcfError("It failed.", why=why, do="Wait."))
        assert found.says == "It failed"
        assert (
            found.do == "On an ALCF compute node first type:  export https_proxy=http://host:3128"
        )
