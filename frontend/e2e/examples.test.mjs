// What docs/clients.md shows, run as it stands there.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { json as jq } from "jq-wasm";
import { PROD, program, root, Stage, until } from "./stage.mjs";

const directory = mkdtempSync(join(tmpdir(), "sundial-examples-"));
// Where tools/setup puts what docs/clients.md has Python's users install.
const tools = process.env.SUNDIAL_TOOLS || join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "sundial");
const running = new Set();

let stage;
before(async () => (stage = await Stage.open({ browser: false })));
after(async () => {
  for (const child of running) process.kill(-child.pid);
  await stage?.close();
  rmSync(directory, { recursive: true, force: true });
});

/** The text of each section and the blocks in it, by heading. What is run is taken out. */
const sections = new Map(
  readFileSync(join(root, "docs/clients.md"), "utf8").split(/^## /m).slice(1).map((section) => {
    const blocks = [...section.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language, code]) => ({ language, code }));
    return [section.slice(0, section.indexOf("\n")), { text: section, blocks }];
  }),
);

function take(heading, language) {
  const block = sections.get(heading).blocks.shift();
  assert.equal(block?.language, language, `the next block of "${heading}"`);
  return block.code;
}

/** What a reader gets who saves the next block by the name that the section gives, beside the packages that it names. */
function save(heading, language) {
  const { text } = sections.get(heading);
  const place = join(directory, heading);
  const [, packages = ""] = text.match(/`npm install ([^`]+)`/) ?? [];
  for (const name of packages.split(" ").filter(Boolean)) {
    const link = join(place, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(root, "frontend/node_modules", name), link);
  }
  mkdirSync(place, { recursive: true });
  const file = join(place, text.match(/as `([\w-]+\.\w+)`/)[1]);
  writeFileSync(file, take(heading, language));
  return [language === "js" ? "node" : "python3", file];
}

const options = () => ({
  cwd: directory,
  env: {
    PATH: `${join(tools, "python/bin")}:${process.env.PATH}`,
    SUNDIAL_URL: stage.url,
    SUNDIAL_TOKEN: stage.tokens[PROD],
    // Node 22, which the examples ask for, has it by itself.
    ...(globalThis.WebSocket ? {} : { NODE_OPTIONS: "--experimental-websocket" }),
  },
});

/** What a program that ends prints. */
const run = async (command, ...args) => (await promisify(execFile)(command, args, { ...options(), timeout: 30_000 })).stdout;

/** Starts a program that goes on. Its `lines` grow as they come. */
function start(command, ...args) {
  // In a group of its own, for what a shell has started ends with it.
  const child = spawn(command, args, { ...options(), stdio: ["ignore", "pipe", "pipe"], detached: true });
  const ended = new Promise((resolve) => child.once("close", resolve));
  const lines = [];
  let rest = "";
  let complaints = "";
  running.add(child);
  ended.then(() => running.delete(child));
  child.stderr.on("data", (text) => (complaints += text));
  child.stdout.setEncoding("utf8").on("data", (text) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop();
    lines.push(...parts);
  });
  const name = [command, ...args].join(" ").split("\n")[0];
  const heard = (what, look) =>
    until(`${name}: ${what}`, () => {
      assert.ok(running.has(child), `${name} ended: ${complaints}`);
      return look();
    });
  const stop = async () => {
    process.kill(-child.pid);
    await ended;
  };
  return { lines, heard, stop };
}

async function ask(query, variables, headers) {
  const reply = await fetch(`${stage.url}/graphql`, {
    method: "POST",
    headers: { authorization: `Bearer ${stage.tokens[PROD]}`, "content-type": "application/json", ...headers },
    body: JSON.stringify({ query, variables }),
  });
  return reply.json();
}

test("curl: points are written once and read", async () => {
  const write = take("curl", "sh");
  assert.equal(`${await run("sh", "-c", write)}\n`, take("curl", "text"));
  assert.match(await run("sh", "-c", write), /"replayed":true/);
  assert.equal(`${await run("sh", "-c", take("curl", "sh"))}\n`, take("curl", "text"));
});

test("curl and urql: a point that Python writes arrives", async () => {
  const followers = [start("sh", "-c", take("curl", "sh")), start(...save("urql", "js"))];
  const told = (text) => {
    const one = ({ heard, lines }) => heard(`is told ${text}`, () => lines.some((line) => line.includes(text)));
    return Promise.all(followers.map(one));
  };
  // By what the producer writes each second it is seen that they follow.
  await told('"times":[');
  assert.ok(followers[1].lines.includes("room.temperature 2026-11-24T13:01:00.5Z 21.7"), "urql reads");
  const [receipt, read, end] = (await run(...save("Python", "python"))).split("\n");
  assert.equal(receipt, "{'points': 1, 'series': 1, 'replayed': False}");
  assert.match(read, /^room\.humidity 20\d\d-\S+ \S+\+00:00 48\.5$/);
  assert.equal(end, "");
  await told("room.humidity");
  await Promise.all(followers.map(({ stop }) => stop()));
});

test("graphql-ws, graphql-sse and Python miss nothing and repeat nothing", async () => {
  const programs = [save("graphql-ws", "js"), save("graphql-sse", "js"), save("Python, following", "python")];
  const events = programs.map(() => []);
  const follow = async (meanwhile) => {
    // Behind the last event that an earlier run has told of.
    const last = (index) => events[index].slice(-1).map(({ cursor }) => cursor);
    const followers = programs.map((program, index) => start(...program, ...last(index)));
    const goOn = ({ lines, heard }, most = lines.length + 2) => heard("goes on", () => lines.length >= most);
    await Promise.all(followers.map((follower) => goOn(follower)));
    await meanwhile();
    await Promise.all(followers.map((follower) => goOn(follower)));
    for (const [index, { lines, stop }] of followers.entries()) {
      await stop();
      const read = (line) => ({ cursor: line.split(" ", 1)[0], series: JSON.parse(line.slice(line.indexOf(" "))) });
      events[index].push(...lines.map(read));
    }
  };
  await follow(async () => {
    await stage.stopServer();
    await stage.startServer();
  });
  await follow(() => {});
  const query = `query ($range: TimeRange!) { tenant(slug: "${PROD}") {
    series(match: "clock.offset_seconds") { nodes { samples(range: $range) { times } } } } }`;
  for (const [index, [, file]] of programs.entries()) {
    const added = events[index].flatMap(({ series }) => series);
    const times = added.filter(({ series }) => series.startsWith("clock.offset_seconds")).flatMap(({ times }) => times);
    const { data } = await ask(query, { range: { from: Math.min(...times), to: Math.max(...times) + 1 } });
    const stored = data.tenant.series.nodes.flatMap(({ samples }) => samples.times);
    assert.deepEqual(times.toSorted(), stored.toSorted(), `${file}: what was heard is what is stored`);
  }
});

test("Rust: a point is written and read", async () => {
  assert.equal(take("Rust", "rust"), readFileSync(join(root, "producer/examples/client.rs"), "utf8"));
  const lines = (await run(program("SUNDIAL_EXAMPLE_BIN", "examples/client"))).trim().split("\n");
  const [receipt, read] = lines.map((line) => JSON.parse(line));
  assert.deepEqual(receipt, { points: 1, series: 1, replayed: false });
  assert.equal(read.key, "room.co2");
  assert.deepEqual(read.samples.values, [612.5]);
});

test("Grafana: the reply becomes rows of the columns that are named", async () => {
  const between = `mutation { ingest(tenant: "${PROD}", batches: [
    { series: "room.window", times: ["2026-11-24T13:00:30Z"], values: [1] }]) { points } }`;
  assert.equal((await ask(between)).data.ingest.points, 1);
  const query = take("Grafana", "graphql")
    .replace("${__timeFrom:date:iso}", "2026-11-24T13:00:00.000Z")
    .replace("${__timeTo:date:iso}", "2026-11-24T14:00:00.000Z");
  // As Infinity asks.
  const reply = await ask(query, null, { accept: "application/json;q=0.9,text/plain", "accept-encoding": "gzip" });
  const rows = await jq(reply, take("Grafana", "jq"));
  const row = (time, series, value) => ({ series, time: Date.parse(time), value });
  assert.deepEqual(rows, [
    row("2026-11-24T13:00:00Z", "room.temperature", 21.5),
    row("2026-11-24T13:00:30Z", "room.window", 1),
    row("2026-11-24T13:01:00.5Z", "room.temperature", 21.7),
  ]);
  const columns = [...sections.get("Grafana").text.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  assert.deepEqual(columns.toSorted(), Object.keys(rows[0]).toSorted());
});

test("pandas: a file is read", async () => {
  assert.equal(await run(...save("pandas", "python")), take("pandas", "text"));
});

test("there is no other block", () => {
  for (const [heading, { blocks }] of sections) assert.deepEqual(blocks, [], `"${heading}" shows what no test runs`);
});
