"""Operators, forms and connections: the glue between Airflow and the library in ``include``."""
