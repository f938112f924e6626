"""Sentence models on Triton: the model repository, versioned deploys, and the client of all that embeds."""
