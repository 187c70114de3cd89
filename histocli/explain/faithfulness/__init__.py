"""Does the model change its mind where the map says that it should? Against maps that know nothing."""
