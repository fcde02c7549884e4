"""Every alert's life, by theme."""

from tests.alerts.cases import broker, calls, limits, orders, process, slo

CASES = (*calls.CASES, *limits.CASES, *broker.CASES, *orders.CASES, *process.CASES, *slo.CASES)
