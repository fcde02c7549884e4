"""A plan as a page for people. Printable ASCII only, so that every terminal and log can take it."""

from collections.abc import Iterable
from typing import Any, Final

from sidecar.config.report import listed

Values = dict[str, Any]
Row = tuple[str, str]

_NAME_WIDTH: Final = 11
_KEYS: Final = {
    None: "the bot's own",
    "sign": "the sidecar's: it signs at each transmission",
    "lookup": "the bot's own; the sidecar's only to look up orders in doubt",
}


def outline(plan: Values) -> str:
    """The whole plan."""
    return "\n\n".join([_rows(_general(plan)), *map(_broker, plan["brokers"])])


def table(rows: Iterable[tuple[str, ...]], indent: str = "") -> str:
    """Rows in columns as wide as their widest cell."""
    lines = list(rows)
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        indent + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def seconds(value: float) -> str:
    """A duration in the unit that reads best."""
    return f"{value * 1000:g} ms" if 0 < value < 1 else f"{value:g} s"


def share(value: float) -> str:
    """A share as a percentage."""
    return f"{value * 100:g} %"


def _general(plan: Values) -> list[Row]:
    listeners, audit = plan["listeners"], plan["audit"]
    rows = [("bot", plan["bot"])]
    if listeners["unix"] is not None:
        uids = f", users {listed(map(str, listeners['allowed_uids']), 'and')} only" if listeners["allowed_uids"] else ""
        rows.append(("socket", f"{listeners['unix']} (mode {listeners['unix_mode']}{uids})"))
    if listeners["tcp"] is not None:
        rows.append(("tcp", f"http://{listeners['tcp']}"))
    return [
        *rows,
        ("token", "every call must carry it" if listeners["token"] else "none asked for"),
        ("metrics", f"http://{listeners['scrape']}/metrics"),
        ("alerts", _alerts(plan["alerting"])),
        ("traces", _traces(plan["telemetry"])),
        ("audit log", f"{audit['directory']}, kept {audit['retention_days']} days"),
        ("state", _state(plan["state"])),
        ("log", f"{plan['log']['level']} and above, format {plan['log']['format']}"),
    ]


def _state(state: Values) -> str:
    if state["path"] is None:
        return "none kept; calls with an Idempotency-Key are refused"
    return f"{state['path']}, answers by Idempotency-Key kept {seconds(state['idempotency_seconds'])}"


def _alerts(alerting: Values) -> str:
    told = [*alerting["alertmanagers"], *map(_channel, alerting["channels"])]
    if not told:
        return "pushed nowhere; neither alerting.alertmanager.url nor alerting.channels is set"
    return listed(told, "and")


def _channel(channel: Values) -> str:
    wait = channel["aggregate_seconds"]
    gathered = f", gathered for {seconds(wait)}" if wait else ""
    return f"{channel['name']} ({', '.join(channel['severities'])}{gathered})"


def _traces(telemetry: Values) -> str:
    target = telemetry["otlp_endpoint"]
    if target is None and telemetry["otlp_endpoint_from"] is not None:
        target = f"where {telemetry['otlp_endpoint_from']} says"
    targets = [f"{target} ({telemetry['otlp_protocol']})"] if target else []
    targets += [telemetry["file"]] if telemetry["file"] else []
    if not targets:
        return "sent nowhere; neither telemetry.otlp.endpoint nor telemetry.file is set"
    return f"{listed(targets, 'and')}, {share(telemetry['sample_ratio'])} of plain reads"


def _broker(broker: Values) -> str:
    rows = [
        ("calls", f"/{broker['name']}/... -> {broker['base_url']}/..."),
        *([("streams", f"-> {broker['stream_url']}/...")] if broker["stream_url"] else []),
        (
            "deadline",
            f"{seconds(broker['deadline_seconds'])}; {_timeouts(broker['timeouts'])}",
        ),
        ("keys", _KEYS[broker["credentials"]["use"]]),
        *_retry(broker["retry"]),
        *_breaker(broker["breaker"]),
        *_limits(broker["limits"]),
    ]
    return f"broker {broker['name']} ({broker['profile']}, {broker['endpoints']} endpoints)\n{_rows(rows)}"


def _timeouts(times: Values) -> str:
    connect, answer, silence = (seconds(times[f"{key}_seconds"]) for key in ("connect", "answer", "stream_idle"))
    return f"connect {connect}, answer {answer}, silent stream {silence}"


def _retry(retry: Values) -> list[Row]:
    budget = f"at most {share(retry['budget'])} of the calls and {retry['budget_floor']} more in any 10 s"
    rows = [("retry", f"preset {retry['preset']}: {_attempts(retry)}"), ("", budget)]
    return rows + [("", f"{name}: {_attempts(own)}") for name, own in retry["endpoints"].items()]


def _attempts(policy: Values) -> str:
    delays = policy["delays_seconds"]
    if not delays:
        return "1 attempt, no retry"
    after = listed((f"{delay:g}" for delay in delays), "and")
    return f"{policy['attempts']} attempts, after {after} s, give or take {share(policy['jitter'])}"


def _breaker(breaker: Values) -> list[Row]:
    rows = [
        ("breaker", f"one each for {listed(breaker['groups'], 'and')}"),
        *(("", line) for line in _figures(breaker)),
    ]
    for group, own in breaker["overrides"].items():
        rows += [("", f"{group}:"), *(("", f"  {line}") for line in _figures(own))]
    return rows


def _figures(policy: Values) -> list[str]:
    mode = "" if policy["mode"] == "auto" else f"{policy['mode']}; "
    rates = f"{share(policy['failure_rate'])} failed or {share(policy['slow_call_rate'])} slower than"
    window = f"in {seconds(policy['window_seconds'])}, from {policy['minimum_calls']} calls on"
    first, longest = seconds(policy["recovery_seconds"]), seconds(policy["recovery_max_seconds"])
    return [
        f"{mode}opens after {policy['failures']} failures in a row,",
        f"or {rates} {seconds(policy['slow_call_seconds'])} {window};",
        f"{policy['probes']} at a time may try after {first}, growing to {longest}",
    ]


def _limits(limits: Values) -> list[Row]:
    learning = "; what the broker announces goes before the profile's figures" if limits["learn"] else ""
    rows = [("limits", f"told from {share(limits['warn_at'])}, calls wait from {share(limits['wait_at'])}{learning}")]
    cells = [_limit(limit) for limit in limits["planned"]]
    return rows + [("", line) for line in table(cells).splitlines()] if cells else rows


def _limit(limit: Values) -> tuple[str, ...]:
    source = "as configured" if limit["configured"] else ""
    if "capacity" in limit:
        size = f"{limit['capacity']:.15g} in {seconds(limit['seconds'])}"
        told = f"told by {limit['header']}" if limit["header"] else ""
        return limit["name"], size, f"per {limit['scope']}", told, source
    counted = f"counts {limit['group']}" if limit["group"] else "counts every call"
    return (
        limit["name"],
        f"{limit['rate']:g} a second, burst {limit['burst']:g}",
        f"per {limit['scope']}",
        counted,
        source,
    )


def _rows(rows: Iterable[Row]) -> str:
    return "\n".join(f"  {name.ljust(_NAME_WIDTH)}{value}".rstrip() for name, value in rows)
