"""A new volume: its size, its system files, and its files."""
