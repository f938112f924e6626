"""FAISS indexes as versions on disk: train, add, verify by measured recall, publish, follow, roll back."""
