"""The tiles of a slide as GeoJSON, which QuPath opens by dropping the file on the slide."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from histocli.explain.slides import ScoredSlide

# Packed as QuPath has them, one for each class in the order of first appearance: Okabe and Ito's palette.
COLORS = (
    (0, 114, 178),
    (213, 94, 0),
    (0, 158, 115),
    (204, 121, 167),
    (230, 159, 0),
    (86, 180, 233),
)


def tiles_as_geojson(slide: "ScoredSlide") -> str:
    """A feature collection: each tile a rectangle with its class and its score as a measurement.

    Coordinates are pixels of level 0, which is what QuPath's are.

    Source:
        QuPath's documentation, "Exporting annotations", GeoJSON; RFC 7946.
    """
    classes = sorted(set(slide.predicted))
    score = f"probability of {slide.scored}" if slide.scored else "probability of the prediction"
    rows = zip(slide.places.tolist(), slide.scores.tolist(), slide.predicted, strict=True)
    features = []
    for (left, top), value, predicted in rows:
        right, bottom = round(left + slide.step[0]), round(top + slide.step[1])
        ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
        color = COLORS[classes.index(predicted) % len(COLORS)]
        features.append(
            {
                "type": "Feature",
                "geometry": {"type": "Polygon", "coordinates": [ring]},
                "properties": {
                    "objectType": "tile",
                    "classification": {"name": predicted, "color": list(color)},
                    "measurements": {score: value},
                },
            }
        )
    return json.dumps({"type": "FeatureCollection", "features": features}) + "\n"
