"""Contents of streams: inline data, files and directories of the host, tar archives, fills, segments."""
