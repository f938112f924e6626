"""Documents: cut into chunks, indexed as text, searched by keywords, results merged."""
