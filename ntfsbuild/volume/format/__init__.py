"""A new volume: its size, its system files, and what fills it."""
