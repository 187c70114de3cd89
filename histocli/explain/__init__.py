"""Where a model looks: class activation maps, and how much of them lies where it should."""
