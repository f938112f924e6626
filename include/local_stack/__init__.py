"""Installs and runs the real servers on one machine, with no root and no Docker."""
