"""Operators and hooks: the glue between Airflow and the library in ``include``."""
