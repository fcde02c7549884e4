"""What happened: the events, and what each becomes."""
