"""Full-text search over documents: docs/fulltext.md."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from include.settings.values import AbsolutePath, Urls


class Documents:
    """Input, chunks, analysis, keywords of queries."""

    documents: str = "samples/documents"  # folder or Parquet of runs without a form; {date} is the run's day
    fulltext_collection: str = "documents"
    fulltext_relevance: str = "samples/relevance/documents.jsonl"  # queries with the documents that answer them
    fulltext_language: Literal["any", "ja", "ko", "zh", "en"] = "any"  # of the documents; "any": several
    fulltext_analysis: Literal["auto", "ik", "kuromoji", "nori", "smartcn", "cjk", "tokens", "standard"] = "auto"
    fulltext_tokenizer: Literal["bigram", "sudachi", "kiwi", "jieba"] = "bigram"  # of the project's own tokens
    fulltext_chunk_size: Annotated[int, Field(ge=20, le=8192)] = 400
    fulltext_chunk_overlap: Annotated[int, Field(ge=0, le=4096)] = 20
    fulltext_chunk_unit: Literal["auto", "tokens", "characters"] = "auto"  # auto: tokens where the model is deployed
    fulltext_max_document_mb: Annotated[int, Field(ge=1, le=90)] = 10  # of text; larger ones are set aside
    fulltext_max_chunks: Annotated[int, Field(ge=100, le=500_000)] = 100_000  # of one document
    fulltext_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0  # of one search, all that it asks together
    fulltext_retries: Annotated[int, Field(ge=0, le=10)] = 2  # within that time, after a failure that may pass
    fulltext_faults: Literal["strict", "soft"] = "soft"  # soft: a search that fails is logged and finds nothing
    fulltext_max_keywords: Annotated[int, Field(ge=1, le=1000)] = 32  # of one query; those behind are left out
    fulltext_stop_words: AbsolutePath | None = None  # a file of yours beside the shipped ones, one word a line
    # A language model that finds a query's keywords: any OpenAI-compatible endpoint, such as http://localhost:8000/v1.
    fulltext_llm_url: Urls = ""
    fulltext_llm_model: str = ""
    fulltext_llm_api_key: SecretStr | None = None
    # Of each of two tries; both together have half of fulltext_timeout_seconds at most.
    fulltext_llm_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0
