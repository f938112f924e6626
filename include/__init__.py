"""The library behind the DAGs and the command line; it never imports Airflow."""
