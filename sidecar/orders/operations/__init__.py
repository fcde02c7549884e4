"""Operations: several orders that belong together, and that end in a consistent state whatever breaks."""
