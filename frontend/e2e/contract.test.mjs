// The check of the contract finds what breaks clients, and lets go of what was announced.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { CONTRACT, root } from "./stage.mjs";

const folder = mkdtempSync(join(tmpdir(), "sundial-contract-"));
after(() => rmSync(folder, { recursive: true }));

function check(released, now) {
  const files = Object.entries({ released, now }).map(([name, text]) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  });
  const { status, stderr } = spawnSync(process.execPath, [join(root, "frontend/tool/contract.mjs"), ...files], { encoding: "utf8" });
  return { holds: status === 0, words: stderr };
}

const RELEASED = "type Query { a(x: Int): Int b: E } enum E { ONE TWO }";

/** What was released, with `from` in it replaced. */
function changed(from, to, released = RELEASED) {
  assert.equal(released.split(from).length, 2, `\`${from}\` stands there once`);
  return released.replace(from, to);
}

test("what is added breaks nobody", () => {
  assert.ok(check(CONTRACT, CONTRACT).holds);
  assert.ok(check(RELEASED, changed("b: E", "b: E c: Int")).holds);
  assert.ok(check(RELEASED, changed("x: Int", "x: Int y: Int")).holds);
});

test("what is taken away is told, unless a release has announced it", () => {
  for (const [from, to, words] of [
    ["b: E", "", "Query.b was removed"],
    ["b: E", "b: Int", "Query.b changed type"],
    ["x: Int", "x: Int!", "Query.a arg x has changed type"],
    ["x: Int", "x: Int y: Int!", "required arg y"],
    ["(x: Int)", "", "Query.a arg x was removed"],
    [" TWO", "", "TWO was removed from enum type E"],
  ]) {
    const { holds, words: told } = check(RELEASED, changed(from, to));
    assert.ok(!holds && told.includes(words) && told.includes("Deprecate it first"), told);
  }
  const why = '@deprecated(reason: "ask for a")';
  for (const [from, gone] of [["b: E", ""], ["x: Int", ""], ["TWO", ""]]) {
    const announced = changed(from, `${from} ${why}`);
    assert.ok(check(RELEASED, announced).holds);
    const without = changed(`${from} ${why}`, gone, announced).replace("()", "");
    assert.ok(check(announced, without).holds, check(announced, without).words);
    assert.ok(!check(RELEASED, without).holds);
  }
});
