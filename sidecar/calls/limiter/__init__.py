"""How much may go to a broker: windows, buckets, the gate, and the order in which callers wait for them."""

from sidecar.calls.limiter.address import Address
from sidecar.calls.limiter.errors import LimiterError, LimitRefused, LimitSettingsError
from sidecar.calls.limiter.gate import told_pause
from sidecar.calls.limiter.lease import Lease
from sidecar.calls.limiter.limiter import Limiter

__all__ = ["Address", "Lease", "LimitRefused", "LimitSettingsError", "Limiter", "LimiterError", "told_pause"]
