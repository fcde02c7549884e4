"""New risk is held back while a broker has not passed its start-up checks."""

from sidecar.brokers.profile import Refusal
from sidecar.words import RefusalKind


class Hold:
    """Keeps one broker's new risk back from `begin` to `end`; reads, cancels and reduce-only orders go on."""

    def __init__(self, broker: str) -> None:
        self._broker = broker
        self.refusal: Refusal | None = None
        """What new risk is told; None while it goes."""
        self.why = ""
        """Why it does not go; empty while it does."""

    def begin(self, why: str, retry_after: float | None) -> None:
        """Hold new risk back from now on.

        `why` ends a sentence for people; `retry_after`: seconds after which it may be over, None when nobody knows.
        """
        message = f"{self._broker}: no new risk is taken on before the start-up checks have passed: {why}"
        self.refusal = Refusal(RefusalKind.NOT_READY, message, retry_after)
        self.why = why

    def end(self) -> None:
        """Take new risk on again."""
        self.refusal, self.why = None, ""
