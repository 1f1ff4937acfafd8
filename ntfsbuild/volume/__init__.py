"""NTFS volumes: reading (`read`), changing existing ones (`write`), and making new ones (`format`)."""
