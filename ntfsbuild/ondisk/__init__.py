"""NTFS structures as bytes: one module a structure, named as NTFS names it; no I/O."""
