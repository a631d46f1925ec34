// Runs after Trunk's build, on the files in its staging directory.
//
// Trunk ends its build with an inline script that starts the page's code. The page's policy runs no inline script, so it is
// moved into a file. And Trunk names the page's code by what it was before it was made smaller, and copies whatever the
// compiler's directory holds at that moment: here the code is looked at, and named by the bytes that travel, for browsers keep
// a file under its name for ever.
import { createHash } from "node:crypto";
import { readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

const staging = process.env.TRUNK_STAGING_DIR;
if (!staging) throw new Error("TRUNK_STAGING_DIR is not set: Trunk runs this after its build");

const hash = (content) => createHash("sha256").update(content).digest("hex").slice(0, 16);

function only(found, what) {
  if (found.length !== 1) throw new Error(`the built page has ${found.length} ${what}, and one was expected`);
  return found[0];
}

/** Fails unless the two files are whole and of one build. */
function check(wasm, glue) {
  if (!WebAssembly.validate(wasm)) {
    throw new Error(`the page's WebAssembly is broken (${wasm.length} bytes): another build may have run in the same target directory. Build again.`);
  }
  // wasm-bindgen names what the code imports by a hash, so that the names of another build are others.
  const absent = WebAssembly.Module.imports(new WebAssembly.Module(wasm)).filter(({ name }) => !glue.includes(name));
  if (absent.length > 0) throw new Error(`the page's WebAssembly and its JavaScript are of two builds: ${absent[0].name} is missing. Build again.`);
}

const files = await readdir(staging);
const page = join(staging, "index.html");
let html = await readFile(page, "utf8");

const oldWasm = only(files.filter((file) => file.endsWith("_bg.wasm")), "WebAssembly files");
const oldGlue = oldWasm.replace(/_bg\.wasm$/, ".js");
const wasm = await readFile(join(staging, oldWasm));
const glue = await readFile(join(staging, oldGlue), "utf8");
check(wasm, glue);

const base = oldGlue.replace(/-[0-9a-f]+\.js$/, "");
const newWasm = `${base}-${hash(wasm)}_bg.wasm`;
const newGlue = `${base}-${hash(glue)}.js`;
await Promise.all([oldWasm, oldGlue].map((file) => rm(join(staging, file))));
await Promise.all([writeFile(join(staging, newWasm), wasm), writeFile(join(staging, newGlue), glue)]);
html = html.replaceAll(oldWasm, newWasm).replaceAll(oldGlue, newGlue);

const [element, code] = only([...html.matchAll(/<script type="?module"?[^>]*>([\s\S]+?)<\/script>/g)], "inline modules");
const loader = code.trim() + "\n";
const name = `start-${hash(loader)}.js`;
await writeFile(join(staging, name), loader);
await writeFile(page, html.replace(element, () => `<script type="module" src="/${name}"></script>`));
