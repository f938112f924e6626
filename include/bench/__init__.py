"""Figures, always beside what they are compared with, in one run on one machine."""
