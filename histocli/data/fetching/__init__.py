"""Public data sets for those with a network: what they are, and how their files are fetched."""
