"""Sentinel-2 and Sentinel-1 of an area, from a STAC catalogue into a folder that `decloud run` reads.

    from seq2seq.fetching.area import parse_area, parse_period
    from seq2seq.fetching.plan import Request, plan
    from seq2seq.fetching.transfer import fetch

    planned = plan(Request(parse_area("4.6,50.6,4.7,50.7"), parse_period("2021-05-01/2021-10-31")))
    fetch(planned, Path("fields"))

Only HTTP and files: the catalogue is asked by the standard library, under our rules of where it may lead; what it holds
is read by GDAL from local copies of the bytes that are needed. Retries, expiring signatures and resuming are here, too.
"""
