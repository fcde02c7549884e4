"""What can keep the demo from being shown; each message is for the person who started it."""


class DemoError(Exception):
    """Raised when the demo cannot go on: the message says what happened and what to do."""


class PlaceError(DemoError):
    """Raised when the demo's folder cannot be used."""


class ChildError(DemoError):
    """Raised when a process of the demo has ended that should not have."""


class StoryError(DemoError):
    """Raised when what a chapter waits for does not happen in time."""
