"""Numbers of attention maps: how much lies in the center, what chance gives, what is attainable."""
