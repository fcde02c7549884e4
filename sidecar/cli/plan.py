"""What a configuration would run, as plain values: every preset, override and profile figure resolved."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from sidecar.alerting.routes import contacts, manner
from sidecar.brokers.limits import LimitSpec, WindowSpec
from sidecar.brokers.profile import Profile
from sidecar.brokers.registry import build
from sidecar.calls.limiter.specs import Planned
from sidecar.calls.limiter.specs import plan as planned_limits
from sidecar.calls.policies import RetryPolicy, breaker_policy, retry_policy
from sidecar.config.model import Alerting, Broker, Config
from sidecar.words import Severity

_ENDPOINT_VARIABLES: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")

Values = dict[str, Any]


def plan(config: Config, environ: Mapping[str, str]) -> Values:
    """What `sidecar run` would do with a configuration in which nothing is wrong."""
    listen = config.listen
    return {
        "bot": config.bot,
        "listeners": {
            "unix": None if listen.unix is None else str(listen.unix),
            "unix_mode": listen.unix_mode,
            "allowed_uids": list(listen.allowed_uids),
            "tcp": listen.tcp,
            "scrape": config.scrape.address,
            "token": listen.token_file is not None,
        },
        "brokers": [_broker(name, broker) for name, broker in config.brokers.items()],
        "audit": {"directory": str(config.audit.directory), "retention_days": config.audit.retention_days},
        "state": {
            "path": None if config.state.path is None else str(config.state.path),
            "idempotency_seconds": config.state.idempotency_seconds,
        },
        "alerting": _alerting(config.alerting),
        "telemetry": _telemetry(config, environ),
        "log": config.log.model_dump(),
    }


def _alerting(alerting: Alerting) -> Values:
    told = [(contact.name, manner(contact, alerting)) for contact in contacts(alerting)]
    return {
        "alertmanagers": list(alerting.alertmanager.url),
        "channels": [
            {
                "name": name,
                "severities": [str(severity) for severity in Severity if severity in way.severities],
                "aggregate_seconds": way.aggregate_seconds,
            }
            for name, way in told
        ],
    }


def _telemetry(config: Config, environ: Mapping[str, str]) -> Values:
    configured = config.telemetry.otlp.endpoint
    told = next((name for name in _ENDPOINT_VARIABLES if environ.get(name)), None)
    return {
        "otlp_endpoint": configured,
        # The variable is named and its value is not: collectors' URLs can hold credentials.
        "otlp_endpoint_from": None if configured else told,
        "otlp_protocol": config.telemetry.otlp.protocol,
        "file": None if config.telemetry.file is None else str(config.telemetry.file),
        "sample_ratio": config.telemetry.sample_ratio,
    }


def _broker(name: str, broker: Broker) -> Values:
    profile = build(broker)
    return {
        "name": name,
        "profile": broker.profile,
        "base_url": broker.base_url,
        "stream_url": broker.stream_url,
        "deadline_seconds": broker.deadline_seconds,
        "timeouts": broker.timeouts.model_dump(),
        "endpoints": len(profile.endpoints),
        "credentials": {"use": broker.credentials.use if broker.credentials.given else None},
        "retry": _retry(broker, profile),
        "breaker": _breaker(broker, profile),
        "limits": {
            "warn_at": broker.limits.warn_at,
            "wait_at": broker.limits.wait_at,
            "learn": broker.limits.learn,
            "planned": [_limit(planned) for planned in planned_limits(name, profile.limits, broker.limits)],
        },
    }


def _retry(broker: Broker, profile: Profile) -> Values:
    retry = broker.retry
    return {
        "preset": retry.preset or profile.retry_preset,
        **_delays(retry_policy(retry, "", profile.retry_preset)),
        "budget": retry.budget,
        "budget_floor": retry.budget_floor,
        "endpoints": {name: _delays(retry_policy(retry, name, profile.retry_preset)) for name in retry.endpoints},
    }


def _delays(policy: RetryPolicy) -> Values:
    delays = [
        min(policy.max_seconds, policy.base_seconds * policy.factor**number) for number in range(policy.attempts - 1)
    ]
    return {"attempts": policy.attempts, "delays_seconds": delays, "jitter": policy.jitter}


def _breaker(broker: Broker, profile: Profile) -> Values:
    groups = sorted({endpoint.group for endpoint in profile.endpoints})
    return {
        **asdict(breaker_policy(broker.breaker, "")),
        "groups": groups,
        "overrides": {name: asdict(breaker_policy(broker.breaker, name)) for name in broker.breaker.groups},
    }


def _limit(planned: Planned) -> Values:
    spec: LimitSpec = planned.spec
    figures: Values = {"name": spec.name, "scope": spec.scope.value, "configured": planned.pinned}
    if isinstance(spec, WindowSpec):
        return {**figures, "capacity": spec.capacity, "seconds": spec.seconds, "header": spec.header.decode() or None}
    return {**figures, "rate": spec.rate, "burst": spec.burst, "group": spec.group or None}
