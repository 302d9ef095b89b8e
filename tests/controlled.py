"""A sandbox of a test's own, whose failures and limits the test switches."""

import contextlib
import json
import subprocess
import sys
import urllib.request

import alcf_jupyter as alcf


class Controlled:
    """A sandbox that runs: its address, its secret and its control routes."""

    def __init__(self, told):
        self.url, self.secret = told["url"], told["secret"]
        self.plain = self.url.replace("/resource_server", "/v1")

    def connect(self, **options):
        return alcf.connect(self.url, token=self.secret, poll_seconds=1, **options)

    def control(self, method, path, body=None):
        request = urllib.request.Request(
            self.url.replace("/resource_server", "/sandbox") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self.secret}"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def fail(self, fault, **rule):
        """Make what fits the rule fail from now on, and nothing else."""
        self.heal()
        return self.control("POST", "/faults", {"fault": fault, **rule})

    def heal(self):
        self.control("DELETE", "/faults")

    def sent(self, route=""):
        """What reached the sandbox on a route since the last look."""
        entries = self.control("GET", f"/log?route={route}")["entries"]
        self.control("DELETE", "/log")
        return entries


@contextlib.contextmanager
def sandbox(*options):
    command = [sys.executable, "-m", "alcf_jupyter.sandbox", "--with-owner", *options]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        yield Controlled(json.loads(process.stdout.readline()))
    finally:
        process.stdin.close()
        process.wait(60)
        process.stdout.close()
