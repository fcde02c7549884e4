"""What a request asks for, told apart from what merely accompanies it."""

from urllib.parse import unquote_plus

from sidecar.wire import Request


def joined(*parts: bytes) -> bytes:
    """The parts as one, each behind its length, so that no two lists of parts give the same bytes."""
    return b"".join(b"%d:%s" % (len(part), part) for part in parts)


def everything(request: Request) -> bytes:
    """Method, target and body as they are, for brokers whose bots send the same bytes again."""
    return joined(request.method.encode(), request.target.encode("utf-8", "surrogateescape"), request.body)


def without(names: frozenset[str], parameters: bytes) -> bytes:
    """A query or form without the named parameters; in order of their names, which says nothing."""
    pairs = [pair for pair in parameters.split(b"&") if _name(pair) not in names]
    pairs.sort(key=_name)
    return b"&".join(pairs)


def _name(pair: bytes) -> str:
    return unquote_plus(pair.partition(b"=")[0].decode("latin-1"))
