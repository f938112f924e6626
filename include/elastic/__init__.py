"""Elasticsearch: connection, index generations, bulk writing, dead letters, the gate."""
