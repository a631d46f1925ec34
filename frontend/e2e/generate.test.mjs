// Random requests by all kinds of askers: whatever is asked, what comes is one of the answers that the API promises, and
// tells nothing of a tenant that is not open to who asks. SEED draws the same requests again; SECONDS is how long it lasts.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request as open } from "node:http";
import { after, before, test } from "node:test";
import { EVENTS_TYPE, Requests, envelope } from "./generate.mjs";
import { CONTRACT, DEMO, PROD, Stage, TEST } from "./stage.mjs";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 1e9));
const SECONDS = Number(process.env.SECONDS ?? 15);
// The time of a query, and what a busy machine adds.
const PATIENCE = 35_000;
const MOST = { refused: 16 << 10, answered: 32 << 20 };
const TYPES = ["application/json; charset=utf-8", "application/graphql-response+json; charset=utf-8", EVENTS_TYPE];
// Words of the server's inside, paths, and secrets.
const INSIDE = /sqlx|sqlite|postgres\w* error|panicked|\bSELECT .* FROM\b|\.rs:\d|\/(tmp|root|home)\/|sdl_\w{20}|gh[ou]_\w{8}/i;
const documented = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8").matchAll(/^\| `([A-Z_]+)` \|/gm);
const CODES = new Set([...documented].map(([, code]) => code));
// GitHub answers here, and the server shall have no faults.
for (const code of ["INTERNAL", "GITHUB_UNAVAILABLE"]) assert.ok(CODES.delete(code));

// What none but those may be told to whom the tenant is open: its name, and a series with a value.
const MARKS = {
  [PROD]: { name: "Numbat", series: "wombat", value: "48611.948611" },
  [TEST]: { name: "Quokka", series: "bilby", value: "79271.979271" },
};
const marks = (...tenants) => tenants.flatMap((tenant) => Object.values(MARKS[tenant]));

let stage;
before(async () => {
  const limits = ["OPERATIONS_PER_PRINCIPAL", "OPERATIONS_PER_ADDRESS", "FAILURES_PER_ADDRESS"];
  const settings = Object.fromEntries(limits.map((limit) => [`SUNDIAL_${limit}`, "0"]));
  stage = await Stage.open({ browser: false, settings });
});
after(() => stage?.close());

/** The headers of one who has signed in through the stand-in, as a browser does. */
async function signIn(account) {
  const follow = async (url, options) => {
    const { status, headers } = await fetch(url, { redirect: "manual", ...options });
    assert.ok([302, 303].includes(status), `the sign-in goes on: ${status} of ${url}`);
    const cookies = headers.getSetCookie().map((cookie) => cookie.split(";")[0]);
    return { to: new URL(headers.get("location"), url), cookies };
  };
  const begun = await follow(`${stage.url}/auth/login`);
  const body = new URLSearchParams([...begun.to.searchParams, ["login", account]]);
  const agreed = await follow(`${stage.github}/login/oauth/authorize`, { method: "POST", body });
  const { cookies } = await follow(agreed.to, { headers: { cookie: begun.cookies.join("; ") } });
  return { cookie: cookies.find((pair) => pair.startsWith("sundial=")), origin: stage.url };
}

const bearer = (token) => ({ authorization: `Bearer ${token}` });
const limited = () => bearer(stage.token(PROD, "--series", "clock.*"));
// Who asks, how often, by what, and which marks are not for them.
const ASKERS = [
  { name: "an administrator", weight: 8, prove: () => signIn("admin"), closed: [] },
  { name: "a viewer", weight: 2, prove: () => signIn("viewer"), closed: marks(TEST) },
  { name: "a stranger", weight: 1, prove: () => signIn("stranger"), closed: marks(PROD, TEST) },
  { name: "a token of PROD", weight: 4, prove: () => bearer(stage.token(PROD)), closed: marks(TEST), writes: PROD },
  { name: "a token of TEST", weight: 3, prove: () => bearer(stage.token(TEST)), closed: marks(PROD), writes: TEST },
  { name: "a token of some series", weight: 2, prove: limited, closed: [...marks(PROD).slice(1), ...marks(TEST)] },
  { name: "nobody", weight: 1, prove: () => ({}), closed: marks(PROD, TEST) },
  { name: "a forger", weight: 1, prove: () => bearer("sdl_forged"), closed: marks(PROD, TEST) },
];
const SHARES = ASKERS.flatMap((asker) => Array(asker.weight).fill(asker));

/** Sends a request, and resolves to what comes of it; of events, to what comes within `patience`. */
function send({ method, path, headers, body = "" }, patience) {
  const begun = performance.now();
  return new Promise((resolve) => {
    const parts = [];
    const end = (broken, { statusCode: status, headers: { "content-type": type = "" } = {} } = {}) =>
      resolve({ status, type, broken, text: Buffer.concat(parts).toString(), ms: performance.now() - begun });
    const length = { "content-length": Buffer.byteLength(body) };
    const request = open(stage.url + path, { method, headers: { ...headers, ...length }, agent: false }, (response) => {
      response.on("data", (part) => parts.push(part));
      response.on("end", () => end(undefined, response)).on("error", (error) => end(error.code, response));
      if (response.headers["content-type"] !== EVENTS_TYPE) return;
      const timer = setTimeout(() => (end(undefined, response), request.destroy()), patience);
      response.on("close", () => clearTimeout(timer));
    });
    request.on("error", (error) => end(error.code ?? error.message));
    request.setTimeout(PATIENCE, () => (end(`nothing for ${PATIENCE} ms`), request.destroy()));
    request.end(body);
  });
}

/** Sends what `seal` makes of the proof of `asker`. Proof that counts no more is had anew for the next request. */
async function ask(asker, seal, patience) {
  const proof = (asker.proof ??= asker.prove());
  const sent = seal(await proof);
  const reply = await send(sent, patience);
  if (reply.status === 401 && asker.proof === proof) asker.proof = undefined;
  return { sent, reply };
}

/** Has the tenants and their marks be there, whatever has been deleted and whoever been shut out. */
async function tend() {
  const named = (text, [slug, { name }]) => text.replace(new RegExp(`(slug: ${slug}\\s+name:).*`), `$1 ${name}`);
  stage.apply(Object.entries(MARKS).reduce(named, DEMO));
  for (const asker of ASKERS.filter(({ writes }) => writes)) {
    const { series, value } = MARKS[asker.writes];
    const batch = `{ series: "${series}.depth{place=\\"${series}\\"}", times: [${Date.now() * 1_000}], values: [${value}] }`;
    const body = JSON.stringify({ query: `mutation { ingest(tenant: "${asker.writes}", batches: [${batch}]) { id } }` });
    const headers = { "content-type": "application/json" };
    const seal = (proof) => ({ method: "POST", path: "/graphql", headers: { ...headers, ...proof }, body });
    const write = async () => JSON.parse((await ask(asker, seal)).reply.text).data;
    assert.ok((await write()) ?? (await write()), `${asker.name} writes`);
  }
}

/** The results in a reply; of events, those that came whole. */
function results({ type, text }) {
  if (type !== EVENTS_TYPE) return text ? [JSON.parse(text)] : [];
  const events = text.split("\n\n").slice(0, -1).filter((event) => event.startsWith("event: next"));
  return events.map((event) => JSON.parse(event.split("data: ")[1]));
}

/** What is wrong with a reply to what was `drawn` and `sent`. */
function faults(requests, drawn, sent, asker, reply) {
  const wrong = [];
  const hold = (held, words) => held || wrong.push(words);
  hold(!reply.broken, `it broke off: ${reply.broken}`);
  hold(!(reply.status >= 500), `status ${reply.status}`);
  hold(reply.ms < PATIENCE, `it took ${reply.ms} ms`);
  hold(TYPES.includes(reply.type) || reply.broken, `${reply.status} of type \`${reply.type}\``);
  try {
    const found = results(reply);
    for (const { data, errors = [] } of found) {
      if (drawn.way === "valid" && drawn.roots.length && data) {
        const reference = JSON.stringify(requests.reference(drawn, data));
        hold(reference === JSON.stringify({ data }), `GraphQL makes of it ${reference.slice(0, 2_000)}`);
      }
      hold(data !== undefined || errors.length > 0, "neither data nor errors");
      const known = ({ message, extensions }) => message && CODES.has(extensions?.code);
      for (const error of errors) hold(known(error), `the error ${JSON.stringify(error)}`);
    }
    const bytes = Buffer.byteLength(reply.text);
    hold(bytes <= (found.some(({ data }) => data) ? MOST.answered : MOST.refused), `${bytes} bytes`);
  } catch (error) {
    wrong.push(`no JSON: ${error.message}`);
  }
  const asked = [drawn.document, drawn.variables, sent.body, JSON.stringify(sent.headers)].join("\n");
  for (const mark of asker.closed) hold(asked.includes(mark) || !reply.text.includes(mark), `${mark} is not for ${asker.name}`);
  const inside = INSIDE.exec(reply.text)?.[0] ?? "";
  hold(asked.includes(inside) || (inside.startsWith("sdl_") && asked.includes("secret")), `it tells \`${inside}\``);
  return wrong;
}

test(`nothing but what the API promises comes of random requests (SEED=${SEED})`, async () => {
  const requests = new Requests(CONTRACT, SEED, [PROD, TEST], Object.values(MARKS).map(({ series }) => series));
  const counts = {};
  const failed = {};
  const missing = new Set(requests.roots);
  let number = 0;
  let slowest = { ms: 0 };
  let largest = { text: "" };
  // On a slow machine some fields have not been answered when the time is over: every other request is for one of them.
  const end = Date.now() + SECONDS * 1_000;
  const goesOn = () => Date.now() < end || (missing.size > 0 && Date.now() < end + 60_000);
  const one = async () => {
    const [wanted] = Date.now() > end && number % 2 ? missing : [];
    const drawn = requests.draw((number += 1), wanted);
    const asker = wanted ? ASKERS[0] : drawn.dice.pick(SHARES);
    const { sent, reply } = await ask(asker, (proof) => envelope(drawn, proof), 200 + drawn.dice.below(1_500));
    const wrong = faults(requests, drawn, sent, asker, reply);
    for (const words of wrong) {
      const kind = words.slice(0, 20).replace(/\d+/g, "0");
      (failed[kind] ??= []).push({ words, drawn, sent, asker, reply });
    }
    if (wrong.length) return;
    const found = results(reply);
    for (const { data } of found) {
      requests.learn(data);
      const answered = drawn.roots.filter(({ alias }) => drawn.way === "valid" && data?.[alias] != null);
      for (const { field } of answered) missing.delete(field);
    }
    const told = found.some(({ data }) => data) ? "data" : (found[0]?.errors?.[0].extensions.code ?? "nothing");
    counts[told] = (counts[told] ?? 0) + 1;
    if (reply.type !== EVENTS_TYPE && reply.ms > slowest.ms) slowest = { ...reply, number: drawn.number };
    if (reply.text.length > largest.text.length) largest = { ...reply, number: drawn.number };
  };

  while (goesOn() && Object.keys(failed).length < 10) {
    await tend();
    const lane = async () => {
      for (let turn = 0; turn < 50 && goesOn(); turn += 1) await one();
    };
    await Promise.all(Array.from({ length: 6 }, lane));
    assert.ok(await stage.ready(), "the server is ready");
  }

  const told = Object.entries(counts).sort().map((pair) => pair.join(" "));
  console.log(`${number} requests: ${told.join(", ")}`);
  console.log(`the slowest: ${Math.round(slowest.ms)} ms (${slowest.number})`);
  console.log(`the largest: ${largest.text.length} characters (${largest.number})`);
  for (const [{ words, drawn, sent, asker, reply }, ...more] of Object.values(failed)) {
    const text = (body) => JSON.stringify(String(body)).slice(0, 8_000);
    console.log(`request ${drawn.number} of SEED=${SEED} by ${asker.name}, and ${more.length} more: ${words}`);
    console.log(`${sent.method} ${sent.path} ${JSON.stringify(sent.headers)}\n${text(sent.body)}`);
    console.log(`${text(drawn.document)} with ${text(drawn.variables)}\n→ ${reply.status} ${reply.type} ${text(reply.text)}`);
  }
  assert.deepEqual(Object.keys(failed), []);
  assert.deepEqual(stage.log("server").split("\n").filter((line) => /panicked|"level":"ERROR"/.test(line)), []);
  assert.ok(counts.data >= number / 5, "too few requests had data");
  assert.deepEqual([...missing], [], "these have never been answered");
});
