"""Where rows come from: text and Parquet files, and seeded generators; cut into shards before work begins."""
