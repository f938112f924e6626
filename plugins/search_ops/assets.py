"""What one DAG tells the next."""

from __future__ import annotations

from airflow.sdk import Asset

MODEL_EXPORT = Asset(name="model_export", uri="embsearch://models/exported")
SERVED_MODEL = Asset(name="served_model", uri="embsearch://models/served")
KEYWORD_VECTORS = Asset(name="keyword_vectors", uri="embsearch://keywords/vectors")
KEYWORD_TEXT = Asset(name="keyword_text", uri="embsearch://keywords/text")
PRODUCT_LINKS = Asset(name="product_links", uri="embsearch://products/links")
FAISS_INDEX = Asset(name="faiss_index", uri="embsearch://faiss/index")
FAISS_DRIFT = Asset(name="faiss_drift", uri="embsearch://faiss/drift")
IMAGE_INDEX = Asset(name="image_index", uri="embsearch://images/index")
PLAYLIST_CACHE = Asset(name="playlist_cache", uri="embsearch://playlists/cache")
DOCUMENT_TEXT = Asset(name="document_text", uri="embsearch://documents/text")
DOCUMENT_CHUNKS = Asset(name="document_chunks", uri="embsearch://documents/chunks")
SEARCH_QUALITY = Asset(name="search_quality", uri="embsearch://documents/quality")
