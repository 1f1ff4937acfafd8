"""The writer: changes to a volume, held in memory until they are committed."""
