// The values behind the pictures: Zarr v3 arrays, chunks of all dates x all bands x 32 x 32, bytes(little) + gzip.
// One pixel's whole series is one small file an array; the browser itself unpacks gzip.

import { PageError } from "../failures.js";
import { get, getJson } from "../http.js";
import { text } from "../text.js";

const TYPES = {
  uint8: Uint8Array, int8: Int8Array, uint16: Uint16Array, int16: Int16Array, uint32: Uint32Array, int32: Int32Array,
  float32: Float32Array, float64: Float64Array,
};
const KEPT_BYTES = 160e6;
const words = text.failures;

async function unpacked(answer, gzip) {
  if (!gzip) return answer.arrayBuffer();
  return new Response(answer.body.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

/** What of an array's zarr.json matters. Raises PageError for what this page cannot read. */
function understood(name, metadata) {
  const codecs = (metadata?.codecs ?? []).map((codec) => codec.name);
  const type = TYPES[metadata?.data_type];
  const plain = codecs[0] === "bytes" && codecs.slice(1).every((codec) => codec === "gzip" || codec === "crc32c");
  const little = metadata?.codecs?.[0]?.configuration?.endian !== "big";
  if (!type || !plain || !little || codecs.includes("crc32c")) {
    throw new PageError(words.cubeCodec(name), { cause: [metadata?.data_type, ...codecs].join(", ") });
  }
  const chunk = metadata.chunk_grid.configuration.chunk_shape;
  return { type, gzip: codecs.includes("gzip"), chunk, shape: metadata.shape, fill: metadata.fill_value };
}

export class Cube {
  #metadata = null;
  #chunks = new Map();
  #bytes = 0;

  /** base: the address of the Zarr group; described: `cube` of the manifest; tag: follows each address. */
  constructor(base, described, tag = "") {
    this.base = base;
    this.tag = tag;
    this.arrays = described.arrays ?? {};
    this.chunkPx = described.chunk_px ?? 32;
    // Of each step x step pixels, the one in the middle has values: a file that was made small.
    this.step = described.step ?? 1;
  }

  async #array(name) {
    this.#metadata ??= getJson(`${this.base}zarr.json${this.tag}`).catch((error) => { this.#metadata = null; throw error; });
    const group = await this.#metadata;
    const found = group.consolidated_metadata?.metadata?.[name] ?? await getJson(`${this.base}${name}/zarr.json${this.tag}`);
    return understood(name, found);
  }

  async #load(name, row, column) {
    const { type, gzip, chunk, fill } = await this.#array(name);
    const [height, width] = chunk.slice(-2);
    const size = chunk.reduce((product, side) => product * side, 1);
    const found = { layers: size / height / width, height, width, data: null };
    const leading = chunk.slice(0, -2).map(() => 0);
    let answer;
    try {
      answer = await get(`${this.base}${name}/c/${[...leading, row, column].join("/")}${this.tag}`);
    } catch (error) {
      if (error.status !== 404) throw error;
      return { ...found, data: new type(size).fill(fill) };
    }
    const buffer = await unpacked(answer, gzip).catch(() => null);
    if (buffer?.byteLength !== size * type.BYTES_PER_ELEMENT) throw new PageError(words.cubeChunk(name, row, column));
    return { ...found, data: new type(buffer) };
  }

  /**
   * A chunk: {data, layers, height, width}, data[layer][row][column] in one typed array, layer = date x bands + band.
   * A file that is not there stands for the fill value. Chunks stay in memory up to 160 MB.
   */
  chunk(name, row, column) {
    const key = `${name}/${row}/${column}`;
    const known = this.#chunks.get(key);
    if (known) {
      this.#chunks.delete(key);
      this.#chunks.set(key, known);
      return known;
    }
    const promise = this.#load(name, row, column);
    this.#chunks.set(key, promise);
    promise.then((chunk) => this.#count(chunk), () => this.#chunks.delete(key));
    return promise;
  }

  async #count(chunk) {
    this.#bytes += chunk.data.byteLength;
    while (this.#bytes > KEPT_BYTES && this.#chunks.size > 8) {
      const [oldest, promise] = this.#chunks.entries().next().value;
      this.#chunks.delete(oldest);
      this.#bytes -= (await promise).data.byteLength;
    }
  }

  /** Starts reading the chunks of a pixel, so that they are there when they are asked for. */
  prefetch(row, column) {
    const px = this.chunkPx * this.step;
    for (const name of Object.keys(this.arrays)) {
      this.chunk(name, Math.floor(row / px), Math.floor(column / px)).catch(() => {});
    }
  }

  /**
   * The chunks under a window, half open: {top, left, bottom, right} in pixels of the scene.
   * Returns [{top, left, bottom, right (inside the chunk), arrays: {name: chunk}}].
   */
  async window(asked, names = Object.keys(this.arrays)) {
    const [px, step] = [this.chunkPx, this.step];
    const [top, left] = [Math.floor(asked.top / step), Math.floor(asked.left / step)];
    const [bottom, right] = [Math.ceil(asked.bottom / step), Math.ceil(asked.right / step)];
    const blocks = [];
    for (let row = Math.floor(top / px); row * px < bottom; row += 1) {
      for (let column = Math.floor(left / px); column * px < right; column += 1) {
        blocks.push(this.#block(row, column, names, { top, left, bottom, right }));
      }
    }
    return Promise.all(blocks);
  }

  async #block(row, column, names, asked) {
    const px = this.chunkPx;
    const chunks = await Promise.all(names.map((name) => this.chunk(name, row, column)));
    return {
      top: Math.max(asked.top - row * px, 0), bottom: Math.min(asked.bottom - row * px, px),
      left: Math.max(asked.left - column * px, 0), right: Math.min(asked.right - column * px, px),
      arrays: Object.fromEntries(names.map((name, at) => [name, chunks[at]])),
    };
  }
}
