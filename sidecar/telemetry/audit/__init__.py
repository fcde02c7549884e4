"""The audit log: what was asked of the brokers and what became of it, provably unaltered."""

from sidecar.telemetry.audit.chain import Link
from sidecar.telemetry.audit.errors import AuditError, AuditLockedError, AuditUnusableError
from sidecar.telemetry.audit.log import AuditLog, AuditReadings
from sidecar.telemetry.audit.query import Entry, Wanted, query
from sidecar.telemetry.audit.verify import Fault, Problem, Report, verify

__all__ = [
    "AuditError",
    "AuditLockedError",
    "AuditLog",
    "AuditReadings",
    "AuditUnusableError",
    "Entry",
    "Fault",
    "Link",
    "Problem",
    "Report",
    "Wanted",
    "query",
    "verify",
]
