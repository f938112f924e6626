"""Keywords into their two indexes: as vectors for nearest-neighbour search, as text for full-text search."""
