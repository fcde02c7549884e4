"""May we trade: what condition the brokers are in, and when to ask again."""
