// What is done to the page's code after Trunk's build: a broken page must not be built.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const LOADER = join(dirname(dirname(fileURLToPath(import.meta.url))), "tool/loader.mjs");
// A module that imports one function, `a.f`.
const MODULE = Buffer.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 0x61, 1, 0x66, 0, 0]);
const PAGE = `<head><link rel="modulepreload" href="/web-0123.js"><link rel="preload" href="/web-0123_bg.wasm" as="fetch">
<script type="module">import init from '/web-0123.js'; await init({ module_or_path: '/web-0123_bg.wasm' });</script></head>`;
const hash = (content) => createHash("sha256").update(content).digest("hex").slice(0, 16);

/** Runs the loader on a build of these files; returns how it ended, what it said, and the files that it left. */
function load(wasm, glue = "export function f() {}") {
  const staging = mkdtempSync(join(tmpdir(), "sundial-loader-"));
  try {
    writeFileSync(join(staging, "web-0123_bg.wasm"), wasm);
    writeFileSync(join(staging, "web-0123.js"), glue);
    writeFileSync(join(staging, "index.html"), PAGE);
    const { status, stderr } = spawnSync(process.execPath, [LOADER], { env: { ...process.env, TRUNK_STAGING_DIR: staging }, encoding: "utf8" });
    const files = Object.fromEntries(readdirSync(staging).map((file) => [file, readFileSync(join(staging, file), "utf8")]));
    return { status, stderr, files };
  } finally {
    rmSync(staging, { recursive: true });
  }
}

test("the page's code is named by its final bytes, wherever it is named", () => {
  const { status, stderr, files } = load(MODULE);
  assert.equal(status, 0, stderr);
  const [wasm, glue] = [`web-${hash(MODULE)}_bg.wasm`, `web-${hash("export function f() {}")}.js`];
  const start = Object.keys(files).find((file) => file.startsWith("start-"));
  assert.deepEqual(Object.keys(files).sort(), ["index.html", start, glue, wasm].sort());
  assert.equal(start, `start-${hash(files[start])}.js`);
  for (const text of [files["index.html"], files[start]]) {
    assert.ok(text.includes(`/${wasm}`) && text.includes(`/${glue}`) && !text.includes("0123"), text);
  }
  assert.doesNotMatch(files["index.html"], /<script(?![^>]*\ssrc=)/);
});

test("empty, cut and foreign WebAssembly fails the build", () => {
  for (const broken of [Buffer.alloc(0), MODULE.subarray(0, -1), Buffer.from("<!doctype html>")]) {
    const { status, stderr } = load(broken);
    assert.notEqual(status, 0);
    assert.match(stderr, /WebAssembly is broken/);
  }
});

test("WebAssembly and JavaScript of two builds fail the build", () => {
  const { status, stderr } = load(MODULE, "export {}");
  assert.notEqual(status, 0);
  assert.match(stderr, /of two builds/);
});
