"""Where bytes come from: inline data, files and directories of the host, tar archives, fills, segments."""
