"""The reader: records, indexes, paths and files of a volume of any maker."""
