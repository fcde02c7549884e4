"""Orders that are neither lost nor doubled."""
