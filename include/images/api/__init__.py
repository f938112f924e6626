"""The image search as a web API: inside Airflow, or alone."""
