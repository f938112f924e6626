"""Images and their neighbours: the tables, the index, the search, temporary images."""
