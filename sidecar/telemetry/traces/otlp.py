"""Spans to a collector, by OTLP over HTTP. What the `OTEL_EXPORTER_OTLP_…` variables say of it holds."""

import gzip
import ssl
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable, Mapping, Sequence
from random import uniform
from threading import Event
from typing import Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.util.re import parse_env_headers

from sidecar.telemetry.traces.encoding import encoded
from sidecar.telemetry.traces.settings import TRACES_PATH

MOST_ATTEMPTS: Final = 6
DEFAULT_SECONDS: Final = 10.0
"""For one batch, its repetitions included; OpenTelemetry's default."""
_AGAIN: Final = frozenset({429, 502, 503, 504})
"""The statuses after which OTLP lets a batch be sent again."""
_COMPRESSIONS: Final[Mapping[str, Callable[[bytes], bytes]]] = {"gzip": gzip.compress, "deflate": zlib.compress}


class OtlpExporter(SpanExporter):
    """Posts batches, each on a connection of its own; a batch is some hundred calls."""

    def __init__(self, endpoint: str | None, environment: Mapping[str, str]) -> None:
        """`endpoint`: the whole URL; None takes what the environment names."""

        def told(name: str) -> str:
            ours = environment.get(f"OTEL_EXPORTER_OTLP_TRACES_{name}")
            return ours or environment.get(f"OTEL_EXPORTER_OTLP_{name}", "")

        named = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
        base = environment.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")
        self._url = endpoint or named or base.removesuffix("/") + TRACES_PATH
        self._seconds = _seconds(told("TIMEOUT"))
        compression = told("COMPRESSION").strip().lower()
        self._compress = _COMPRESSIONS.get(compression, bytes)
        self._headers = {"Content-Type": "application/x-protobuf", "User-Agent": "broker-sidecar"}
        if compression in _COMPRESSIONS:
            self._headers["Content-Encoding"] = compression
        self._headers |= parse_env_headers(told("HEADERS"), liberal=True)
        self._opener = _opener(self._url, told("CERTIFICATE"), told("CLIENT_CERTIFICATE"), told("CLIENT_KEY"))
        self._ended = Event()

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them, again where that may help, until it is out of time or shut down."""
        body = self._compress(encoded(spans))
        ends = time.monotonic() + self._seconds
        for attempt in range(MOST_ATTEMPTS):
            taken, pause = self._post(body, max(0.001, ends - time.monotonic()))
            if taken:
                return SpanExportResult.SUCCESS
            if pause is None:
                break
            pause = pause or 2**attempt * uniform(0.8, 1.2)
            if pause > ends - time.monotonic() or self._ended.wait(pause):
                break
        return SpanExportResult.FAILURE

    def shutdown(self) -> None:
        """End the repetitions of a running export."""
        self._ended.set()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing waits here."""
        del timeout_millis
        return True

    def _post(self, body: bytes, seconds: float) -> tuple[bool, float | None]:
        """Whether the batch was taken; and how long to wait before the next attempt.

        0 is for who does not say, and None where no attempt will help.
        """
        request = urllib.request.Request(self._url, body, self._headers)  # noqa: S310 - the configured collector
        try:
            with self._opener.open(request, timeout=seconds) as answer:
                answer.read()
        except urllib.error.HTTPError as refusal:
            refusal.close()
            return False, _asked(refusal) if refusal.code in _AGAIN else None
        except OSError:
            return False, 0.0
        return True, None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Spans go where they were told to go, and nowhere else."""

    def redirect_request(self, *_: object) -> None:
        """Follow none."""


def _opener(url: str, certificate: str, client_certificate: str, client_key: str) -> urllib.request.OpenerDirector:
    handlers: list[urllib.request.BaseHandler] = [_NoRedirects()]
    if url.startswith("https:"):
        context = ssl.create_default_context(cafile=certificate or None)
        if client_certificate:
            context.load_cert_chain(client_certificate, client_key or None)
        handlers.append(urllib.request.HTTPSHandler(context=context))
    return urllib.request.build_opener(*handlers)


def _seconds(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return DEFAULT_SECONDS


def _asked(refusal: urllib.error.HTTPError) -> float:
    """Seconds that `Retry-After` asks for; 0 where it names none."""
    try:
        return max(0.0, float(refusal.headers.get("Retry-After", "")))
    except ValueError:
        return 0.0
