"""What it all came to."""

from sidecar.demo.chronicle import Chronicle
from sidecar.demo.promises import Balance
from sidecar.demo.stage import Stage
from sidecar.demo.telling import counted


def summary(stage: Stage, chronicle: Chronicle, balance: Balance) -> list[str]:
    """The figures of a performance, in sentences."""
    denied = sum(chronicle.denied.values())
    reasons = ", ".join(f"{count} {why}" for why, count in chronicle.denied.most_common())
    traffic = (
        f"in {stage.now():.0f} s: {counted(stage.calls, 'call')}; {counted(stage.retries, 'retry', 'retries')}; "
        f"{counted(denied, 'retry', 'retries')} denied" + (f" ({reasons})" if reasons else "")
    )
    guarded = (
        f"{counted(chronicle.refused, 'call')} answered `not sent` by the sidecar alone; "
        f"{counted(chronicle.counts['BreakerTransition'], 'breaker transition')}"
    )
    orders = (
        f"orders: {balance.sent} sent by the bots: {balance.executed} told executed, {balance.not_executed} told not "
        f"executed, {balance.unknown} told unknown"
    )
    if balance.unknown:
        orders += f" (the brokers executed {balance.unknown_executed} of these)"
    if balance.on_the_way:
        orders += f", {balance.on_the_way} on the way"
    truth = f"held against the brokers' books: {balance.duplicates} duplicates, {balance.wrong} wrong answers"
    missed = [f"({chronicle.missed} events came too fast to be counted here)"] if chronicle.missed else []
    return [f"{traffic}; {guarded}", orders, truth, *missed]
