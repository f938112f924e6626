"""The main job: each product with its nearest keywords, as one document of Elasticsearch."""
