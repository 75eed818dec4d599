// Files as one ZIP without packing: made of the files themselves, never in memory, and the same bytes for the same
// files, so that an upload goes on where it broke off. Format: PKWARE APPNOTE 6.3.9, sections 4.3.7 to 4.3.16.

import { PageError } from "../failures.js";
import { text } from "../jobs/text.js";

// ZIP without its 64-bit extension ends here.
const MOST_BYTES = 0xffffffff;
const MOST_FILES = 0xffff;
const VERSION = 20;
const UTF8_NAMES = 0x0800;
// 1 January 1980, the first day that ZIP can say: times of files differ between copies.
const NO_DATE = 0x21;

const TABLE = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

/** The CRC-32 of ZIP, gone on from an earlier one. */
export function crc32(bytes, before = 0) {
  let value = ~before;
  for (let at = 0; at < bytes.length; at += 1) value = TABLE[(value ^ bytes[at]) & 255] ^ (value >>> 8);
  return ~value >>> 0;
}

function record(signature, fields, name = new Uint8Array()) {
  const size = 4 + fields.reduce((sum, [width]) => sum + width, 0);
  const bytes = new Uint8Array(size + name.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, signature, true);
  let at = 4;
  for (const [width, value] of fields) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  bytes.set(name, size);
  return bytes;
}

const shared = ({ crc, size, name }) => [[2, VERSION], [2, UTF8_NAMES], [2, 0], [2, 0], [2, NO_DATE], [4, crc], [4, size], [4, size], [2, name.length], [2, 0]];
const header = (entry) => record(0x04034b50, shared(entry), entry.name);
const listed = (entry) => record(0x02014b50, [[2, VERSION], ...shared(entry), [2, 0], [2, 0], [2, 0], [4, 0], [4, entry.at]], entry.name);

async function checksum(file, onBytes, signal) {
  const reader = file.stream().getReader();
  let crc = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (signal?.aborted) { await reader.cancel(); signal.throwIfAborted(); }
    if (done) return crc;
    crc = crc32(value, crc);
    onBytes(value.length);
  }
}

/** One Blob of files [{path, file}], in the order of their paths. onShare(0 ... 1): how much has been read. */
export async function storedZip(files, { onShare = () => {}, signal } = {}) {
  const total = files.reduce((sum, { file }) => sum + file.size, 0);
  if (total > MOST_BYTES - 1e6 || files.length > MOST_FILES) throw new PageError(text.new.tooMuch, { next: text.new.tooMuchNext });
  const order = [...files].sort((one, two) => (one.path < two.path ? -1 : 1));
  const parts = [];
  const entries = [];
  let at = 0;
  let read = 0;
  for (const { path, file } of order) {
    const crc = await checksum(file, (count) => { read += count; onShare(total ? read / total : 1); }, signal);
    const entry = { name: new TextEncoder().encode(path), size: file.size, crc, at };
    const first = header(entry);
    parts.push(first, file);
    entries.push(entry);
    at += first.length + file.size;
  }
  const list = entries.map(listed);
  const size = list.reduce((sum, each) => sum + each.length, 0);
  const end = record(0x06054b50, [[2, 0], [2, 0], [2, entries.length], [2, entries.length], [4, size], [4, at], [2, 0]]);
  const fingerprint = entries.map(({ crc }, index) => `${order[index].path}:${order[index].file.size}:${crc}`).join("|");
  return { blob: new Blob([...parts, ...list, end]), fingerprint: `zip-${crc32(new TextEncoder().encode(fingerprint)).toString(16)}-${at}` };
}
