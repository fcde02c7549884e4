"""Which of the two text formats a scraper wants."""

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.openmetrics.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPES = {False: CONTENT_TYPE_PLAIN_0_0_4, True: CONTENT_TYPE_LATEST}


def wants_openmetrics(accept: str) -> bool:
    """Whether an Accept header asks for OpenMetrics at least as much as for plain text; an empty one does not."""
    quality = {"application/openmetrics-text": 0.0, "text/plain": 0.0}
    for media_range in accept.split(","):
        name, *parameters = (part.strip().lower() for part in media_range.split(";"))
        if name in quality:
            quality[name] = max(quality[name], _quality(parameters))
    return (
        quality["application/openmetrics-text"] > 0 and quality["application/openmetrics-text"] >= quality["text/plain"]
    )


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
