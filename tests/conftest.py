"""What all tests share."""

from hypothesis import settings

# A slow machine is no failure: nothing here is a timed test.
settings.register_profile("sidecar", deadline=None)
settings.load_profile("sidecar")
