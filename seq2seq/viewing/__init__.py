"""What a browser shows of a finished result: pictures of each date, and a cube of which a pixel's series is one file.

The layout is docs/viewing.md's; `seq2seq.viewing.bundle` makes it.
"""
