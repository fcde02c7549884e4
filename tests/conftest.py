"""What all tests share."""

from hypothesis import HealthCheck, settings

# A slow machine is no failure: nothing here is a timed test.
settings.register_profile("sidecar", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("sidecar")
