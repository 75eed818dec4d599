"""A STAC API and the COGs it leads to, on loopback, with the faults of real ones when a test asks for them."""

import json
import socket
import threading
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import numpy as np
import rasterio
import rasterio.shutil
from rasterio.io import MemoryFile
from rasterio.transform import from_origin
from rasterio.warp import transform_bounds

from seq2seq.bands import S2_BANDS
from seq2seq.fetching.catalogs import PLANETARY_COMPUTER
from seq2seq.fetching.transport import Retry

# A piece of farmland, and the tile whose corner is near it: EPSG:32631.
WEST, NORTH, EPSG = 613_000, 5_607_000, 32631
FEW = ("B02", "B04", "B05")
QUICK = Retry(attempts=4, first_s=0.01, longest_s=0.05, silence_s=2.0)


@dataclass
class Fault:
    """What goes wrong with the next request of a path. kind: status, cut, slow, reset, whole, lie."""

    kind: str
    status: int = 503
    seconds: float = 0.0
    headers: dict = field(default_factory=dict)


@dataclass
class Request:
    method: str
    path: str
    range: str | None
    headers: dict


class StacServer:
    """files: by path. items: as they are answered. faults: by the end of a path, used up one by one."""

    def __init__(self):
        self.files, self.items, self.requests = {}, [], []
        self.faults = defaultdict(list)
        self.always = {}
        self.signed, self.valid_token, self.tokens = False, "sig=1", 0
        self.page, self.paging = 1000, "merge"
        self.jpeg2000, self.keyed = False, False
        self.lock = threading.Lock()
        self.url = ""

    @property
    def catalog(self):
        """This one in place of Planetary Computer, whose names and signatures it has."""
        return replace(
            PLANETARY_COMPUTER,
            name="loopback",
            url=self.url,
            signing="sas" if self.signed else "none",
            signing_url=f"{self.url}/sas",
            signed_hosts=("127.0.0.1",),
            jpeg2000=self.jpeg2000,
        )

    def asked(self, ending):
        """The requests of a path."""
        return [one for one in self.requests if one.path.partition("?")[0].endswith(ending)]

    def fault_of(self, path):
        for ending, fault in self.always.items():
            if path.endswith(ending):
                return fault
        for ending, faults in self.faults.items():
            if path.endswith(ending) and faults:
                return faults.pop(0)
        return None


@contextmanager
def stac_server():
    """Serves until the context ends."""
    ours = StacServer()

    class Handler(_Handler):
        stac = ours

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # of clients that have left
    ours.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield ours
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stac = None

    def log_message(self, *_):
        """Says nothing."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._answer(body)

    def do_GET(self):
        self._answer(None)

    def _answer(self, body):
        path = urlsplit(self.path).path
        with self.stac.lock:
            self.stac.requests.append(Request(self.command, self.path, self.headers.get("Range"), dict(self.headers)))
            fault = self.stac.fault_of(path)
        if fault is not None and fault.kind == "slow":
            time.sleep(fault.seconds)
            fault = None
        if fault is not None and fault.kind == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            self.connection.close()
            self.close_connection = True
            return
        if fault is not None and fault.kind == "status":
            self._send(fault.status, b"", headers=fault.headers)
            return
        if path == "/search":
            self._search(body or {key: values[0] for key, values in parse_qs(urlsplit(self.path).query).items()})
        elif path.startswith("/sas/"):
            with self.stac.lock:
                self.stac.tokens += 1
                token = self.stac.valid_token
            self._send(
                200,
                json.dumps({"token": token, "msft:expiry": "2199-01-01T00:00:00Z"}).encode(),
                kind="application/json",
            )
        elif path in self.stac.files:
            self._file(path, fault)
        else:
            self._send(404, b"nothing here")

    def _search(self, body):
        wanted = body["collections"]
        wanted = wanted if isinstance(wanted, list) else wanted.split(",")
        first, last = body["datetime"].split("/")
        found = [
            item
            for item in self.stac.items
            if item["collection"] in wanted and first <= item["properties"]["datetime"] <= last
        ]
        start = int(body.get("token", 0))
        page = found[start : start + self.stac.page]
        links = []
        if start + self.stac.page < len(found):
            after, link = {"token": start + self.stac.page}, {"rel": "next", "href": f"{self.stac.url}/search"}
            known = {"collections": ",".join(wanted), "datetime": body["datetime"], **after}
            if self.stac.paging == "merge":
                link |= {"method": "POST", "body": after, "merge": True}
            elif self.stac.paging == "body":
                link |= {"method": "POST", "body": body | after}
            else:
                link["href"] += f"?{urlencode(known)}"
            links = [link]
        answer = {"type": "FeatureCollection", "features": page, "links": links}
        self._send(200, json.dumps(answer).encode(), kind="application/geo+json")

    def _file(self, path, fault):
        with self.stac.lock:
            refused = self.stac.signed and self.stac.valid_token not in self.path
        refused |= self.stac.keyed and "Credential=key/" not in self.headers.get("Authorization", "")
        if refused:
            self._send(403, b"expired")
            return
        content = self.stac.files[path]
        if "Range" not in self.headers or (fault is not None and fault.kind == "whole"):
            self._send(200, content, headers={"ETag": '"1"'})
            return
        start, end = self.headers["Range"].removeprefix("bytes=").split("-")
        start, end = int(start), min(int(end) + 1, len(content))
        headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(content)}", "ETag": '"1"'}
        part = content[start:end]
        if fault is not None and fault.kind == "huge":
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{2**50}"
            end = start + (int(self.headers["Range"].split("-")[1]) + 1 - start)
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{2**50}"
            part = content[start:].ljust(end - start, b"\0")
        if fault is not None and fault.kind == "cut":
            self._send(206, part, headers=headers, cut=len(part) // 2)
        elif fault is not None and fault.kind == "lie":
            self._send(206, part, headers=headers | {"Content-Range": f"bytes {start + 1}-{end}/{len(content) + 1}"})
        else:
            self._send(206, part, headers=headers)

    def _send(self, status, content, *, kind="image/tiff", headers=None, cut=None):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content if cut is None else content[:cut])
        if cut is not None:
            self.close_connection = True


def cog(values, *, west=WEST, north=NORTH, gsd=10, epsg=EPSG, nodata=0, block=128, driver="COG"):
    """The bytes of a COG of `values` (h, w)."""
    height, width = values.shape
    profile = {"height": height, "width": width, "count": 1, "dtype": values.dtype, "crs": f"EPSG:{epsg}"}
    profile |= {"transform": from_origin(west, north, gsd, gsd), "nodata": nodata}
    with MemoryFile() as memory:
        with memory.open(driver="GTiff", **profile) as dataset:
            dataset.write(values, 1)
        if driver == "GTiff":
            return bytes(memory.getbuffer())
        with MemoryFile(ext=".tif" if driver == "COG" else ".jp2") as optimised:
            options = (
                {"blocksize": block, "compress": "deflate"}
                if driver == "COG"
                else {"QUALITY": 100, "REVERSIBLE": "YES"}
            )
            rasterio.shutil.copy(memory.name, optimised.name, driver=driver, **options)
            return bytes(optimised.read())


def add_s2(
    server, name, when, *, dn=1500, scl=4, west=WEST, north=NORTH, size=192, epsg=EPSG, bands=FEW, baseline="05.09",
    orbit=51, tile="31UFS", cloud=10.0, platform="Sentinel-2A", fill=None, collection="sentinel-2-l2a", **properties,
):  # fmt: skip
    """One scene of some bands and SCL. dn: a number, or a function of a band. fill: makes pixels from values."""
    assets = {}
    for band in (*bands, "SCL"):
        gsd = S2_BANDS[band].gsd_m if band in S2_BANDS else 20
        side = size * 10 // gsd
        value = scl if band == "SCL" else dn(band) if callable(dn) else dn
        values = np.broadcast_to(np.asarray(value), (side, side)).astype("uint8" if band == "SCL" else "uint16")
        values = fill(values.copy(), gsd) if fill else values
        path = f"/s2/{name}/{band}.tif"
        server.files[path] = cog(values, west=west, north=north, gsd=gsd, epsg=epsg)
        assets[band] = {"href": server.url + path}
    found = {"platform": platform, "sat:relative_orbit": orbit, "eo:cloud_cover": cloud, "s2:mgrs_tile": tile}
    found |= {"s2:processing_baseline": baseline, "proj:epsg": epsg, **properties}
    found = {key: value for key, value in found.items() if value is not None}
    bounds = (west, north - size * 10, west + size * 10, north)
    return _add(server, name, when, collection, found, assets, bounds, epsg)


def add_s1(
    server, name, when, *, power=0.1, west=WEST - 500, north=NORTH + 500, size=300, orbit=37, direction="ascending",
    platform="SENTINEL-1A", epsg=EPSG, polarisations=("vv", "vh"),
):  # fmt: skip
    """One slice of VV and VH, power and a fifth of it."""
    assets = {}
    for key in polarisations:
        values = np.broadcast_to(np.asarray(power if key == "vv" else power / 5), (size, size)).astype("float32")
        path = f"/s1/{name}/{key}.tif"
        server.files[path] = cog(np.ascontiguousarray(values), west=west, north=north, epsg=epsg, nodata=-32768)
        assets[key] = {"href": server.url + path}
    found = {"platform": platform, "sat:relative_orbit": orbit, "sat:orbit_state": direction}
    bounds = (west, north - size * 10, west + size * 10, north)
    return _add(server, name, when, "sentinel-1-rtc", found, assets, bounds, epsg)


def _add(server, name, when, collection, properties, assets, bounds, epsg):
    west, south, east, north = transform_bounds(f"EPSG:{epsg}", "EPSG:4326", *bounds)
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    item = {
        "type": "Feature",
        "id": name,
        "collection": collection,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {"datetime": when, **properties},
        "assets": assets,
    }
    server.items.append(item)
    return item


def area_of(*, west=WEST + 300, north=NORTH - 300, width=600, height=600, epsg=EPSG):
    """W,S,E,N of a box of metres within the scenes."""
    return transform_bounds(f"EPSG:{epsg}", "EPSG:4326", west, north - height, west + width, north)
