"""The seven FAISS indexes of music search, grown from MySQL: train, build, keep up to date, look at, roll back."""
