"""TLS, and a proxy in between: the way to real catalogues, on loopback."""

import datetime
import ipaddress
import json
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from stac_server import QUICK

from seq2seq.fetching.addresses import AddressRules
from seq2seq.fetching.failures import FetchError
from seq2seq.fetching.metering import Meter
from seq2seq.fetching.transport import Transport


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """Key and certificate of 127.0.0.1, signed by itself, in one file."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(private + made.public_bytes(pem))
    return path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        """Says nothing."""

    def do_GET(self):
        content = json.dumps({"port": self.client_address[1]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def secure(certificate):
    """The address of a server that speaks TLS."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None
    with serving(server) as port:
        yield f"https://127.0.0.1:{port}"


@contextmanager
def transport_to(url):
    transport = Transport(AddressRules.of(url), retry=QUICK)
    try:
        yield transport
    finally:
        transport.close()


def test_a_certificate_that_nobody_vouches_for_ends_at_once(secure, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    meter = Meter()
    with (
        transport_to(secure) as transport,
        pytest.raises(FetchError, match="its certificate is not valid: self-signed"),
    ):
        transport.json(secure, meter)
    assert meter.spent.retries == 0


def test_authorities_of_the_environment_are_trusted_and_connections_used_again(secure, certificate, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with transport_to(secure) as transport:
        assert transport.json(secure, Meter()) == transport.json(secure, Meter())


@contextmanager
def proxy(answer=b"HTTP/1.1 200 Connection established\r\n\r\n"):
    """Forwards what follows CONNECT; keeps what it was asked."""
    asked, listener = [], socket.create_server(("127.0.0.1", 0))

    def pump(source, sink):
        try:
            while content := source.recv(65536):
                sink.sendall(content)
        except OSError:
            pass
        finally:
            sink.close()

    def serve():
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            head = b""
            while not head.endswith(b"\r\n\r\n"):
                head += client.recv(1)
            asked.append(head.decode())
            client.sendall(answer)
            if b"200" not in answer:
                client.close()
                continue
            host, port = head.split()[1].decode().rsplit(":", 1)
            upstream = socket.create_connection((host, int(port)))
            threading.Thread(target=pump, args=(client, upstream), daemon=True).start()
            threading.Thread(target=pump, args=(upstream, client), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", asked
    finally:
        listener.close()


@pytest.fixture
def proxied(monkeypatch, certificate):
    """No exception from the proxy, and the certificate trusted."""
    for name in ("no_proxy", "NO_PROXY", "https_proxy", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))


def test_a_proxy_of_the_environment_is_used(secure, monkeypatch, proxied):
    with proxy() as (url, asked), transport_to(secure) as transport:
        monkeypatch.setenv("https_proxy", url.replace("//", "//user:word@"))
        assert transport.json(secure, Meter())["port"]
    assert asked[0].startswith(f"CONNECT {secure.removeprefix('https://')} HTTP/1.1")
    assert "Proxy-Authorization: Basic dXNlcjp3b3Jk" in asked[0]


def test_a_proxy_that_refuses_is_named(secure, monkeypatch, proxied):
    with proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as (url, _), transport_to(secure) as transport:
        monkeypatch.setenv("https_proxy", url)
        with pytest.raises(FetchError, match=r"^the proxy answers 407 Proxy Authentication Required$"):
            transport.json(secure, Meter())
