"""Who should know: the registry of errors, and how people are told of them."""
