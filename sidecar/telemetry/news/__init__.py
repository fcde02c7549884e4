"""What of everything that happens a person should read in the log."""

from sidecar.telemetry.news.log import NewsLog

__all__ = ["NewsLog"]
