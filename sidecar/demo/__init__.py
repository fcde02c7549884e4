"""`sidecar demo`: real client libraries trade through the sidecar while their simulated brokers misbehave."""
