// Bundles GraphiQL, its editor and the editor's workers into build/graphiql. Trunk copies them from there, so that our own
// origin serves them and no other is asked.
import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, "build/graphiql");

const shared = {
  absWorkingDir: root,
  bundle: true,
  charset: "utf8",
  define: { "process.env.NODE_ENV": '"production"' },
  // Named by what is in them, so that browsers may keep them for ever.
  entryNames: "[name]-[hash]",
  chunkNames: "[name]-[hash]",
  assetNames: "[name]-[hash]",
  format: "esm",
  legalComments: "none",
  loader: { ".ttf": "file", ".woff": "file", ".woff2": "file" },
  logLevel: "warning",
  metafile: true,
  minify: true,
  outdir: out,
  target: "es2022",
};

/** Fonts inside a style sheet become files: the policy loads fonts from our origin, and from nowhere else. */
async function takeFontsOut(style) {
  const fonts = new Map();
  const css = (await readFile(style, "utf8")).replace(/data:font\/(\w+);base64,([\w+/=]+)/g, (_, kind, base64) => {
    const content = Buffer.from(base64, "base64");
    const name = `font-${createHash("sha256").update(content).digest("hex").slice(0, 8)}.${kind}`;
    fonts.set(name, content);
    return `./${name}`;
  });
  await Promise.all([writeFile(style, css), ...[...fonts].map(([name, content]) => writeFile(join(out, name), content))]);
}

/** The files that esbuild made of each entry point, by the entry's name and the file's ending. */
const made = ({ metafile }, ending) =>
  Object.fromEntries(
    Object.entries(metafile.outputs)
      .filter(([path, output]) => output.entryPoint && path.endsWith(ending))
      .map(([path]) => [basename(path).replace(/-[A-Z0-9]+\.\w+$/, ""), basename(path)]),
  );

await rm(out, { recursive: true, force: true });
const workers = await build({
  ...shared,
  entryPoints: {
    editor: "monaco-editor/esm/vs/editor/editor.worker.js",
    graphql: "monaco-graphql/esm/graphql.worker.js",
    json: "monaco-editor/esm/vs/language/json/json.worker.js",
  },
});
const page = await build({
  ...shared,
  define: { ...shared.define, WORKERS: JSON.stringify(made(workers, ".js")) },
  entryPoints: { graphiql: "graphiql/main.jsx" },
  jsx: "automatic",
  splitting: true,
});
const style = Object.keys(page.metafile.outputs).find((path) => /\/graphiql-\w+\.css$/.test(path));
await takeFontsOut(join(root, style));
const html = (await readFile(join(root, "graphiql/index.html"), "utf8"))
  .replace("{{script}}", made(page, ".js").graphiql)
  .replace("{{style}}", basename(style));
await writeFile(join(out, "index.html"), html);
