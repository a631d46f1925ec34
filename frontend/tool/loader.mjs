// Trunk ends its build with an inline script that starts the page's code. The page's policy runs no inline script, so it is
// moved into a file whose name carries the hash of what is in it.
import { createHash } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

const staging = process.env.TRUNK_STAGING_DIR;
if (!staging) throw new Error("TRUNK_STAGING_DIR is not set: Trunk runs this after its build");

const page = join(staging, "index.html");
const html = await readFile(page, "utf8");
const inline = /<script type="?module"?[^>]*>([\s\S]+?)<\/script>/g;
const loaders = [...html.matchAll(inline)];
if (loaders.length !== 1) throw new Error(`index.html has ${loaders.length} inline modules, and one was expected`);

const [element, code] = loaders[0];
const name = `start-${createHash("sha256").update(code).digest("hex").slice(0, 16)}.js`;
await writeFile(join(staging, name), code.trim() + "\n");
await writeFile(page, html.replace(element, () => `<script type="module" src="/${name}"></script>`));
