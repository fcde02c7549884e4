"""Whom a connection to a broker trusts: the system's certificates, read once for all brokers.

Reading them takes some 50 ms and 0.8 MB each time.
"""

import ssl
from functools import lru_cache


def trusted() -> ssl.SSLContext:
    """What verifies a broker's certificate: by the system's own, or those that `SSL_CERT_FILE` or `_DIR` name."""
    return _verifying(ssl.get_default_verify_paths())


@lru_cache(maxsize=1)
def _verifying(_paths: ssl.DefaultVerifyPaths) -> ssl.SSLContext:
    return ssl.create_default_context()
