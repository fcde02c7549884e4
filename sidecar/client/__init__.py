"""What a Python bot may import."""
