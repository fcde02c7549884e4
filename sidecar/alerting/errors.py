"""What can go wrong in this room."""


class AlertingError(Exception):
    """The root of this room's errors; never raised itself."""


class ChannelError(AlertingError):
    """Raised when a channel's URL is none that a notification service is known by. Says nothing of the URL."""
