"""The streams of one broker: those that are relayed, and the sidecar's own."""

from dashboards.frame import Line, line
from dashboards.panels import lines
from dashboards.queries import BROKER, Query


def rows() -> tuple[Line, Line]:
    """What comes, and how they end."""
    return _coming(), _ends()


def _coming() -> Line:
    return line(
        8,
        lines(
            "Messages",
            "short",
            "Messages (lines) a second that came.",
            Query(BROKER.moving("sidecar_stream_messages_total", "broker, stream"), "{{broker}} {{stream}}"),
        ),
        lines(
            "Time since the last message",
            "s",
            "How long the newest message ago is. A live price stream is rarely silent for more than seconds.",
            Query(
                BROKER.seconds_since("sidecar_stream_last_message_timestamp_seconds", "broker, stream"),
                "{{broker}} {{stream}}",
            ),
        ),
        lines(
            "Open streams",
            "short",
            "Streams that are relayed now, and fills: the sidecar's own, by which it learns of fills.",
            Query(BROKER.sum("sidecar_streams_open", "broker, stream"), "{{broker}} {{stream}}"),
        ),
    )


def _ends() -> Line:
    by = "broker, stream, reason"
    legend = "{{broker}} {{stream}}: {{reason}}"
    return line(
        7,
        lines(
            "Streams that ended",
            "ops",
            "By reason. lost: it broke or fell silent; bot_left: the bot hung up; unneeded: nothing can fill any more.",
            Query(BROKER.moving("sidecar_stream_closures_total", by), legend),
        ),
        lines(
            "Streams opened again",
            "ops",
            "By why the one before ended.",
            Query(BROKER.moving("sidecar_stream_reconnects_total", by), legend),
        ),
    )
