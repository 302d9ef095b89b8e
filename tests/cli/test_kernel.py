"""alcf-jupyter install-kernel: a kernel that Jupyter finds, with the proxy variables in it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import KernelManager

from alcf_jupyter.cli import kernel
from alcf_jupyter.errors import AlcfError
from tests.kernels import by_files

PROXY = "http://proxy.example:3128"


def install(*options, fails=False):
    done = subprocess.run(
        [sys.executable, "-m", "alcf_jupyter.cli", "install-kernel", *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert bool(done.returncode) is fails, done.stderr
    return done.stderr if fails else done.stdout


def spec(clean_environ, name="alcf"):
    found = Path(clean_environ["HOME"], ".local/share/jupyter/kernels", name, "kernel.json")
    return found, json.loads(found.read_text())


def test_the_proxy_of_the_environment_is_written_in(clean_environ):
    clean_environ["https_proxy"] = PROXY
    told = install()
    path, made = spec(clean_environ)
    assert made["display_name"] == "Python (alcf)"
    assert made["argv"][0] == sys.executable
    assert made["env"]["https_proxy"] == made["env"]["HTTPS_PROXY"] == PROXY
    assert "127.0.0.1" in made["env"]["no_proxy"]
    assert str(path.parent) in told
    assert PROXY in told


def test_names_and_a_proxy_of_choice(clean_environ):
    install("--name", "mine", "--display-name", "My own", "--proxy", PROXY)
    _, made = spec(clean_environ, "mine")
    assert made["display_name"] == "My own"
    assert made["env"]["http_proxy"] == made["env"]["https_proxy"] == PROXY


def test_the_sites_proxy_where_none_is_set(clean_environ, tmp_path):
    clean_environ["JUPYTER_CONFIG_PATH"] = str(tmp_path)
    (tmp_path / "alcf_jupyter.toml").write_text(f'proxy = "{PROXY}"')
    install()
    assert spec(clean_environ)[1]["env"]["https_proxy"] == PROXY


def test_without_a_proxy_it_says_how_to_name_one(clean_environ):
    for name in ("no_proxy", "NO_PROXY"):
        clean_environ.pop(name, None)
    told = install()
    assert "--proxy http://proxy.alcf.anl.gov:3128" in told
    assert not spec(clean_environ)[1].get("env")


def test_a_password_is_not_shown_and_not_left_open(clean_environ):
    told = install("--proxy", "http://me:canary@proxy.example:3128")
    path, _ = spec(clean_environ)
    assert "canary" not in told
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("options", [["--name", "no spaces"], ["--proxy", "proxy.example:3128"]])
def test_what_cannot_be_used_is_told_in_two_lines(options):
    told = install(*options, fails=True)
    assert len(told.splitlines()) == 2
    assert options[1].split()[0] in told


def test_jupyter_starts_it_and_it_sees_the_proxy(clean_environ):
    clean_environ["https_proxy"] = PROXY
    install("--name", "started")
    del clean_environ["https_proxy"]
    home = str(Path(clean_environ["HOME"], ".local/share/jupyter/kernels"))
    manager = KernelManager(
        kernel_name="started",
        kernel_spec_manager=KernelSpecManager(kernel_dirs=[home]),
        **by_files(),
    )
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        shown = []
        client.execute_interactive(
            "import os, alcf_jupyter; print(os.environ['https_proxy'])",
            output_hook=lambda m: shown.append(m["content"].get("text", "")),
            timeout=60,
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    assert "".join(shown).strip() == PROXY


def test_a_variable_that_is_set_counts_before_the_site(clean_environ):
    clean_environ["HTTP_PROXY"] = PROXY
    assert kernel.proxy_variables()["http_proxy"] == PROXY
    with pytest.raises(AlcfError, match="not the address"):
        kernel.proxy_variables("socks")
