// Uploads one file with tus-js-client, as its users do: node upload.cjs '{"endpoint": ..., "file": ..., ...}'
// Prints the address of the upload. With `breakAfter` it dies, as from a power cut, when so many bytes are confirmed.
const fs = require("node:fs")
const path = require("node:path")
const { PassThrough } = require("node:stream")

const asked = JSON.parse(process.argv[2])
const tus = require(path.join(asked.modules, "tus-js-client"))

// What tus-js-client divides: a file it opens again for each piece, bytes in memory, or a stream of unknown length.
const sources = {
  file: () => fs.createReadStream(asked.file),
  bytes: () => fs.readFileSync(asked.file),
  stream: () => fs.createReadStream(asked.file).pipe(new PassThrough()),
}

const upload = new tus.Upload(sources[asked.source](), {
  endpoint: asked.endpoint,
  headers: { Authorization: `Bearer ${asked.key}` },
  metadata: { filename: path.basename(asked.file) },
  urlStorage: new tus.FileUrlStorage(asked.remembered),
  retryDelays: [0, 100, 300],
  ...asked.options,
  onError(error) {
    console.error(String(error))
    process.exit(1)
  },
  onProgress(sent) {
    if (asked.breakAfter && sent >= asked.breakAfter) process.exit(17)
  },
  onSuccess() {
    console.log(upload.url)
  },
})

upload.findPreviousUploads().then((previous) => {
  console.error(`${previous.length} earlier`)
  if (previous.length) upload.resumeFromPreviousUpload(previous[0])
  upload.start()
})
