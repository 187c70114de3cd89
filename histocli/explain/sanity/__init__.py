"""Do the maps follow from what the model has learned, and from where it lies in the tile?"""
