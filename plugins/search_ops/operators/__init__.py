"""Operators: each calls one function of the library and returns a small summary."""
