"""The models that can be served, as data."""
