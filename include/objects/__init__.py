"""Files and objects by URL: one path type, bounded reads, and what may be reached at all."""
