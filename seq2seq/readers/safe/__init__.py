"""Sentinel-2 products as ESA delivers them (SAFE): what their names and metadata say, and their bands as layers."""

from seq2seq.readers.safe.opening import open_products

__all__ = ["open_products"]
