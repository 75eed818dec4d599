"""Fetches an input that is no upload: an area from a catalogue, or what an address leads to.

It is done by a process of its own that has the network, and neither the database, nor the storage, nor anything of this
machine but the attempt's folder. What it leaves is imported as an upload is, by a process that has no network.
"""
