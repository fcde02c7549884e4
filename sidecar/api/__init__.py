"""Where a bot and a person meet the sidecar: the proxy, the control API and the scrape listener."""

from sidecar.api.errors import ApiError
from sidecar.api.service import Api

__all__ = ["Api", "ApiError"]
