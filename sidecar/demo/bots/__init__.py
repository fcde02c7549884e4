"""Three small bots with three real client libraries. Each is a file to copy from: one line points it at the sidecar."""
