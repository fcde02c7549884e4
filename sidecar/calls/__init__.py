"""One call's way to the broker and back: admit, limit, break, retry, send, classify."""
