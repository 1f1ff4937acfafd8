"""Functions of numbers and bytes, run as machine code where the extra `fast` is installed."""
