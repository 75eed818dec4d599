"""Static STAC catalogues: `items` understands the JSON, `reader` the images that it describes."""
