"""The `histo` command line: parses, calls the library, prints; computes nothing."""
