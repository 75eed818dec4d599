// What was dropped or chosen, as [{path, file}]: folders are walked, and hidden files left out.

const HIDDEN = /(^|\/)(\.|__MACOSX\/|Thumbs\.db$|desktop\.ini$)/;
// Of these one file is a whole sequence; it is sent as it is.
const WHOLE = /\.(zip|nc|nc4|tif|tiff)$/i;

const asFile = (entry) => new Promise((resolve, reject) => { entry.file(resolve, reject); });
const list = (reader) => new Promise((resolve, reject) => { reader.readEntries(resolve, reject); });

async function walk(entry, path = "") {
  const own = path + entry.name;
  if (entry.isFile) return [{ path: own, file: await asFile(entry) }];
  const reader = entry.createReader();
  const found = [];
  // A reader gives at most a hundred at once.
  for (let batch = await list(reader); batch.length > 0; batch = await list(reader)) {
    for (const each of batch) found.push(...await walk(each, `${own}/`));
  }
  return found;
}

const visible = (files) => files.filter(({ path }) => !HIDDEN.test(path));

/** The folder that all are in is left out: S2/ is at the top of the ZIP then. */
function withoutCommonFolder(files) {
  const [first] = files[0]?.path.split("/") ?? [""];
  const common = files.length > 0 && files.every(({ path }) => path.startsWith(`${first}/`)) && !/^(S1|S2|MASK|SCL)$|\.(SAFE|zarr)$/i.test(first);
  return common ? { name: first, files: files.map(({ path, file }) => ({ path: path.slice(first.length + 1), file })) } : { name: "", files };
}

/** Of a drop. Entries must be asked for at once: after the event they are gone. */
export async function fromDrop(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const found = entries.length > 0 ? (await Promise.all(entries.map((entry) => walk(entry)))).flat() : fromInput(transfer.files);
  return visible(found);
}

/** Of an input for files or for a folder. */
export function fromInput(files) {
  return visible([...files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
}

/** What is sent: {name, files, whole}. whole: the one file that is sent as it is. */
export function gathered(found) {
  if (found.length === 1 && WHOLE.test(found[0].path)) return { name: found[0].file.name, files: found, whole: found[0].file };
  const { name, files } = withoutCommonFolder(found);
  const stem = name || files[0].path.split("/").at(-1).replace(/\.[^.]*$/, "");
  return { name: `${stem}.zip`, files, whole: null };
}
