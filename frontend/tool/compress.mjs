// Puts a .br and a .gz beside every file of dist: the server sends what the browser takes, and never compresses at run time.
// index.html comes last, so that its .br says that all others are there.
import { readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";

const dist = join(dirname(dirname(fileURLToPath(import.meta.url))), "dist");
const [brotli, deflate] = [promisify(brotliCompress), promisify(gzip)];

const entries = await readdir(dist, { recursive: true, withFileTypes: true });
const files = entries
  // What a deployment puts in the place of config.json has no compressed copy, and must not be outdone by one.
  .filter((entry) => entry.isFile() && !/\.(br|gz)$|^config\.json$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort((one, other) => (one === join(dist, "index.html")) - (other === join(dist, "index.html")));

let [page, graphiql] = [0, 0];
const compress = async (file) => {
  const content = await readFile(file);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length };
  const [br, gz] = await Promise.all([brotli(content, { params }), deflate(content, { level: 9 })]);
  await Promise.all([writeFile(`${file}.br`, br), writeFile(`${file}.gz`, gz)]);
  if (file.startsWith(join(dist, "graphiql/"))) graphiql += br.length;
  else page += br.length;
};
await Promise.all(files.slice(0, -1).map(compress));
await compress(files.at(-1));

const kib = (bytes) => `${Math.round(bytes / 1024)} KiB`;
console.log(`the page travels as ${kib(page)}, GraphiQL as another ${kib(graphiql)}`);
