"""The playlist cache: for each programme and index type the ids of the programme's songs, kept ready in Redis."""
