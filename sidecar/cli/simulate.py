"""`sidecar simulate`: a broker to practise against."""

import asyncio
import difflib
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from typing import Final

from sidecar.simulator.faults import Fault, FaultError, FaultKind
from sidecar.simulator.server import BROKERS, simulate

_HIGHEST_PORT: Final = 65535

_EPILOG: Final = f"""\
examples:
  sidecar simulate binance --port 9001
  sidecar simulate oanda --port 9002 --fault maintenance
  sidecar simulate projectx --port 9003
  sidecar simulate binance --fault rate_limited:3 --fault latency:*:0.2 --seed 7

A fault is KIND, KIND:TIMES or KIND:TIMES:PROBABILITY. TIMES is how often it happens, * for no end (else once);
PROBABILITY is the chance, above 0 and at most 1, that a request is hit (else 1). The kinds:
  {", ".join(list(FaultKind)[:9])},
  {", ".join(list(FaultKind)[9:])}
"""


def add(subparsers: "_SubParsersAction[ArgumentParser]") -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "simulate",
        help="practise against a simulated broker",
        description="Serve a simulated broker that keeps accounts and orders, and fails on demand. Ctrl-C ends it.",
        epilog=_EPILOG,
        formatter_class=RawDescriptionHelpFormatter,
    )
    parser.add_argument("broker", choices=BROKERS, help="which broker")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument(
        "--port", type=_port, default=0, help="port to listen on (default: any free one; it is printed)"
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same chances (default: 0)")
    parser.add_argument("--fault", type=_fault, action="append", default=[], help="what shall go wrong; repeatable")
    parser.set_defaults(run=run)


def run(arguments: Namespace) -> int:
    """Serve the broker until interrupted."""
    serving = simulate(
        arguments.broker, host=arguments.host, port=arguments.port, seed=arguments.seed, faults=arguments.fault
    )
    try:
        asyncio.run(serving)
    except OSError as error:
        where = f"{arguments.host}:{arguments.port}"
        reason = error.strerror or "no such address"
        sys.stderr.write(f"cannot listen on {where}: {reason}; choose another --host or --port\n")
        return 1
    return 0


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= _HIGHEST_PORT):
        raise ArgumentTypeError(f"a port is a whole number from 0 to {_HIGHEST_PORT}")
    return int(text)


def _fault(text: str) -> Fault:
    kind, times, probability = (*text.split(":"), "", "")[:3]
    if text.count(":") > 2 or kind not in set(FaultKind):  # noqa: PLR2004 - three parts have two colons
        guess = difflib.get_close_matches(kind, list(FaultKind), n=1)
        hint = f"did you mean {guess[0]}?" if guess else "see --help for the kinds"
        raise ArgumentTypeError(f"{text!r} is not KIND[:TIMES[:PROBABILITY]]; {hint}")
    try:
        return Fault(
            FaultKind(kind),
            times=None if times == "*" else int(times or 1),
            probability=float(probability or 1),
        )
    except FaultError as error:
        raise ArgumentTypeError(f"{text!r}: {error}") from error
    except ValueError:
        raise ArgumentTypeError(f"{text!r}: TIMES is a whole number or *, PROBABILITY a number up to 1") from None
