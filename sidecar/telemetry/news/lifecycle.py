"""What is told of the sidecar's own life: its state, its checks, its configuration, its last run."""

import structlog

from sidecar.telemetry import events
from sidecar.telemetry.news.repeats import spoken
from sidecar.words import OperationalState, Readiness

_log = structlog.get_logger("sidecar")

_SENTENCES = {
    OperationalState.STARTING: "Checking the brokers",
    OperationalState.ACTIVE: "Ready",
    OperationalState.WAITING: "Waiting: no broker can be traded with yet",
    OperationalState.ERROR: "Idle: no broker can be traded with, and a person is needed",
    OperationalState.SHUTDOWN: "Stopping",
}


def started(event: events.Started) -> None:
    """The sockets are open."""
    _log.info(
        f"Started after {spoken(event.seconds)}", version=event.version, bot=event.bot, seconds=round(event.seconds, 3)
    )


def stopped(event: events.Stopped) -> None:
    """The last call is gone."""
    left = f"left for the next start: {', '.join(event.left)}"
    if event.unfinished:
        words = f"with {event.unfinished} calls unfinished: look their orders up at the broker"
        also = f"; {left}" if event.left else ""
        _log.warning(
            f"Stopped ({event.reason}) {words}{also}", reason=event.reason, unfinished=event.unfinished, left=event.left
        )
    elif event.left:
        _log.warning(f"Stopped ({event.reason}); {left}", reason=event.reason)
    else:
        _log.info(f"Stopped ({event.reason})", reason=event.reason)


def state_changed(event: events.OperationalStateChanged) -> None:
    """What the sidecar as a whole is doing; why it waits was told by the checks."""
    _log.info(
        f"{_SENTENCES[event.to_state]} ({event.reason})",
        from_state=str(event.from_state),
        to_state=str(event.to_state),
        seconds=round(event.seconds, 3),
    )


def checked(event: events.BrokerChecked) -> None:
    """What the start-up checks of a broker found."""
    fields = {"broker": event.broker, "state": str(event.to_state), "reason": event.reason}
    again = "" if event.retry_in is None else f"; checked again in {spoken(event.retry_in)}"
    match event.to_state:
        case Readiness.READY:
            if event.from_state is not Readiness.READY:
                _log.info(f"{event.broker}: the start-up checks have passed", **fields)
        case Readiness.CHECKING:
            _log.info(f"{event.broker}: a start-up check failed: {event.reason}{again}", **fields)
        case Readiness.WAITING:
            lasting = f" for {spoken(event.seconds)}" if event.from_state is event.to_state else ""
            _log.warning(f"{event.broker}: waiting{lasting}: {event.reason}{again}", **fields)
        case Readiness.ERROR:
            _log.error(
                f"{event.broker}: not traded with: {event.reason}; mend it, then reload the configuration (SIGHUP, "
                "POST /v1/reload) or POST /v1/startup/retry",
                **fields,
            )
    for doubt in event.doubts:
        _log.warning(f"{event.broker}: {doubt}", broker=event.broker)


def self_checked(event: events.SelfChecked) -> None:
    """What the sidecar found of its own; what does not pass is told again when it ends the start."""
    say = _log.info if event.passed else _log.error
    verdict = "passed" if event.passed else "failed"
    say(f"Start-up check {event.check} {verdict}: {event.detail}", check=str(event.check))


def reloaded(event: events.Reloaded) -> None:
    """What became of a new configuration."""
    if event.problems:
        why = "\n".join(event.problems)
        _log.error(f"The new configuration is not used, the old one stays:\n{why}", problems=len(event.problems))
        return
    what = ", ".join(event.changed) or "nothing"
    _log.info(f"Configuration reloaded; changed: {what}", changed=event.changed)
    if event.kept:
        _log.warning(f"These keys have changed and need a restart: {', '.join(event.kept)}", kept=event.kept)


def last_run(event: events.LastRunTold) -> None:
    """What the last run left."""
    what = "" if event.clean else "The last run was not stopped but ended suddenly"
    left = f"The last run left: {', '.join(event.left)}" if event.left else ""
    _log.warning("; ".join(part for part in (what, left) if part), clean=event.clean, left=event.left)


def positions_closed(event: events.PositionsClosed) -> None:
    """What a stop has closed, and what it has not."""
    gone = f"closed before the stop: {', '.join(event.closed) or 'nothing'}"
    if event.open:
        still = ", ".join(event.open)
        _log.error(f"{event.broker}: NOT closed before the stop: {still}; {gone}", broker=event.broker)
    elif event.closed:
        _log.warning(f"{event.broker}: {gone}; nothing is held any more", broker=event.broker)
    else:
        _log.info(f"{event.broker}: nothing was held at the stop", broker=event.broker)
