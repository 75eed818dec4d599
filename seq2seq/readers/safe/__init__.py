"""Sentinel-2 products as ESA delivers them (SAFE): what their names and metadata say, and their bands as layers."""
