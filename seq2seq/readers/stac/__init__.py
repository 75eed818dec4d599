"""STAC: `items` understands the JSON, `reader` reads the images of static catalogues, `objects` those of Python's."""
