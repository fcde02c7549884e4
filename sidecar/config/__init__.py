"""The configuration: its tree, how it is read, and how its errors are told."""
