"""Images in no fixed layout: date, sensor and band come from names, band descriptions and metadata.

`words` says what a text means, `conventions` knows the names of published products, `naming` joins both for a file,
`bands` for each band of it; `values` and `masks` make layers of them, `reader` the contents of an input.
"""
