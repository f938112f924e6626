"""Reads vectors and songs from MySQL or MariaDB, by pages; makes the tables and test data where there are none."""
