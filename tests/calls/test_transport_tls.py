"""TLS to the broker: what cannot be verified is not sent."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.calls.transport import NotSent
from tests.calls.rawserver import Connection, RawServer, answering, ok, opened
from tests.calls.secretive import ORDER, SECONDS, assert_tells_nothing, failing


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("tls")
    key, cert = folder / "key.pem", folder / "cert.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=broker", "-addext", "subjectAltName=IP:127.0.0.1"]
    subprocess.run(  # noqa: S603 - fixed words
        ["openssl", "req", *kind, *name, "-keyout", str(key), "-out", str(cert)],  # noqa: S607 - wherever it lives
        check=True,
        capture_output=True,
    )
    return key, cert


@pytest.fixture
async def tls_server(certificate: tuple[Path, Path]) -> AsyncIterator[RawServer]:
    key, cert = certificate
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # the server's own complaint about the handshake
    async with RawServer(answering(ok(b"safe")), tls=context) as server:
        yield server


async def test_a_trusted_certificate_lets_a_request_through(
    tls_server: RawServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    async with opened(f"https://127.0.0.1:{tls_server.port}") as transport:
        for _ in range(3):
            assert (await transport.send(ORDER, seconds=SECONDS)).body == b"safe"
    assert (tls_server.connections, len(tls_server.requests)) == (1, 3)


async def test_an_untrusted_certificate_means_not_sent(tls_server: RawServer) -> None:
    async with opened(f"https://127.0.0.1:{tls_server.port}") as transport:
        failure = await failing(transport)
    assert isinstance(failure, NotSent)
    assert (failure.reason, failure.kind) == ("connect", "ClientConnectorCertificateError")
    assert_tells_nothing(failure)
    assert tls_server.requests == []


async def test_a_certificate_for_another_name_means_not_sent(
    tls_server: RawServer, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    async with opened(f"https://localhost:{tls_server.port}") as transport:
        failure = await failing(transport)
    assert isinstance(failure, NotSent)
    assert tls_server.requests == []


async def test_a_server_that_speaks_no_tls_means_not_sent() -> None:
    async def plain(connection: Connection) -> None:
        await connection.write(ok(b"plain"))
        await connection.gone()

    async with RawServer(plain) as server, opened(f"https://127.0.0.1:{server.port}") as transport:
        failure = await failing(transport)
    assert isinstance(failure, NotSent)
    assert failure.reason == "connect"
