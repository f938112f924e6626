"""The command ``embsearch``: the same jobs as the DAGs, without Airflow."""
