"""The command line: kubectl's flags and columns over a cluster that is only a file."""
