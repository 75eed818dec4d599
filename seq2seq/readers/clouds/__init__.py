"""Clouds and shadows in images: detectors, what their findings become, and who masked what."""
