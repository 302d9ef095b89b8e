"""A proxy that carries CONNECT, and a TLS front, both real and on this machine."""

import contextlib
import datetime as dt
import select
import socket
import ssl
import threading

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

HOST = "inference.example"
"""A host that only the proxy knows the way to."""


class Listener:
    """Takes connections on a port of this machine, each in a thread of its own."""

    def __init__(self, serve):
        self._serve = serve
        self._sock = socket.create_server(("127.0.0.1", 0))
        self.port = self._sock.getsockname()[1]
        self._open = True
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while self._open:
            try:
                peer, _ = self._sock.accept()
            except OSError:
                return
            threading.Thread(target=self._one, args=(peer,), daemon=True).start()

    def _one(self, peer):
        with contextlib.suppress(OSError, ssl.SSLError), peer:
            self._serve(peer)

    def close(self):
        self._open = False
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._sock.close()


def pipe(one, other):
    """Carry bytes both ways until one side ends."""
    while True:
        waiting = [s for s in (one, other) if isinstance(s, ssl.SSLSocket) and s.pending()]
        ready = waiting or select.select([one, other], [], [], 30)[0]
        if not ready:
            return
        for sock in ready:
            data = sock.recv(65536)
            if not data:
                return
            (other if sock is one else one).sendall(data)


class Proxy:
    """A proxy: `asked` holds the heads it got; it leads every host to `port`, or refuses."""

    def __init__(self, port, answer=b"HTTP/1.1 200 Connection established\r\n\r\n"):
        self.asked = []
        self._port = port
        self._answer = answer
        self._listener = Listener(self._serve)
        self.url = f"http://127.0.0.1:{self._listener.port}"

    def _serve(self, peer):
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := peer.recv(4096)):
                return
            head += data
        self.asked.append(head.decode("latin-1"))
        peer.sendall(self._answer)
        if b" 200 " in self._answer:
            with socket.create_connection(("127.0.0.1", self._port)) as far:
                pipe(peer, far)

    @property
    def targets(self):
        return [head.split()[1] for head in self.asked]

    def close(self):
        self._listener.close()


def certificate(folder, host=HOST):
    """Write a certificate for a host and its key; return their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, host)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "host.pem", folder / "host.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return paths


def tls_front(port, folder):
    """Listen with TLS and carry everything to `port`; return the listener and the certificate."""
    cert, key = certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def serve(peer):
        with (
            context.wrap_socket(peer, server_side=True) as near,
            socket.create_connection(("127.0.0.1", port)) as far,
        ):
            pipe(near, far)

    return Listener(serve), cert
