"""Formats results as text and as JSON: takes plain data, decides nothing."""
