// Clients that others have written: the audit of GraphQL over HTTP, graphql-ws and graphql-sse.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { serverAudits } from "graphql-http";
import { createClient as eventClient } from "graphql-sse";
import { createClient as socketClient } from "graphql-ws";
import WebSocket from "ws";
import { PROD, Stage } from "./stage.mjs";

let stage;
before(async () => (stage = await Stage.open()));
after(() => stage?.close());

const FOLLOW = `subscription ($tenant: String!, $after: String) {
  pointsAdded(tenant: $tenant, series: ["clock.*"], after: $after) { cursor series { series times values } } }`;
const READ = `query ($tenant: String!, $range: TimeRange!) {
  tenant(slug: $tenant) { series(match: "clock.offset_seconds") { nodes { key samples(range: $range) { times values } } } } }`;

const authorization = () => `Bearer ${stage.tokens[PROD]}`;
const overSockets = (options) =>
  socketClient({
    url: `${stage.url.replace("http", "ws")}/graphql`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization: authorization() },
    ...options,
  });
const overEvents = (options) =>
  eventClient({ url: `${stage.url}/graphql`, headers: { authorization: authorization() }, ...options });

test("all audits of GraphQL over HTTP pass", async () => {
  const audits = serverAudits({ url: `${stage.url}/graphql`, fetchFn: fetch });
  assert.equal(audits.length, 61);
  for (const { id, name, fn } of audits) {
    const { status, reason } = await fn();
    assert.equal(status, "ok", `${id} ${name}: ${reason}`);
  }
});

for (const [name, connect] of Object.entries({ "graphql-ws": overSockets, "graphql-sse": overEvents })) {
  test(`${name}: a query and a refused one are answered`, async () => {
    const client = connect();
    const ask = (query) => client.iterate({ query }).next();
    const { value } = await ask("{ viewer { login } }");
    assert.deepEqual(value.data, { viewer: { login: "e2e" } });
    const refused = await ask("{ nothing }").catch((errors) => ({ value: { errors } }));
    assert.equal(refused.value.errors[0].extensions.code, "BAD_USER_INPUT");
    await client.dispose();
  });

  test(`${name}: each point arrives once, across a restart and a crash`, async () => {
    // Asked again by the test, which knows the cursor of what it has heard.
    const client = connect({ retryAttempts: 0 });
    const times = [];
    let cursor;
    const connected = async (most) => {
      for await (const { data, errors } of client.iterate({ query: FOLLOW, variables: { tenant: PROD, after: cursor } })) {
        if (errors) throw new Error(errors[0].message);
        cursor = data.pointsAdded.cursor;
        const own = data.pointsAdded.series.filter(({ series }) => series.startsWith("clock.offset_seconds"));
        times.push(...own.flatMap((added) => added.times));
        if (times.length >= most) return;
      }
    };
    const follow = async (most) => {
      let cuts = 0;
      for (; times.length < most; await sleep(50)) {
        await connected(most).catch(() => (cuts += 1));
        assert.ok(cuts < 600, "the server is not there again");
      }
      return cuts;
    };
    await follow(2);
    const stopped = follow(times.length + 6);
    await stage.stopServer();
    await stage.startServer();
    assert.ok((await stopped) > 0, "the connection was cut");
    const killed = follow(times.length + 6);
    await stage.killServer();
    await sleep(1_500);
    await stage.startServer();
    assert.ok((await killed) > 0, "the connection was cut");
    const range = { from: Math.min(...times), to: Math.max(...times) + 1 };
    const answer = await fetch(`${stage.url}/graphql`, {
      method: "POST",
      headers: { authorization: authorization(), "content-type": "application/json" },
      body: JSON.stringify({ query: READ, variables: { tenant: PROD, range } }),
    });
    const { nodes } = (await answer.json()).data.tenant.series;
    const stored = nodes.flatMap(({ samples }) => samples.times);
    assert.deepEqual(times.toSorted(), stored.toSorted(), "what was heard is what is stored");
    await client.dispose();
  });
}

test("a socket is closed by the code that says why", async () => {
  const closes = async (begin) => {
    const socket = new WebSocket(`${stage.url.replace("http", "ws")}/graphql`, "graphql-transport-ws");
    const closed = new Promise((resolve) => socket.once("close", (code) => resolve(code)));
    await new Promise((resolve) => socket.once("open", resolve));
    begin(socket);
    return closed;
  };
  const send = (...messages) => (socket) => messages.forEach((message) => socket.send(JSON.stringify(message)));
  const init = { type: "connection_init", payload: { authorization: authorization() } };
  const subscribe = { id: "1", type: "subscribe", payload: { query: FOLLOW, variables: { tenant: PROD } } };
  assert.equal(await closes(send({ type: "connection_init", payload: { authorization: "Bearer sdl_nobody" } })), 4401);
  assert.equal(await closes(send(subscribe)), 4401);
  assert.equal(await closes(send(init, init)), 4429);
  assert.equal(await closes(send(init, subscribe, subscribe)), 4409);
  assert.equal(await closes(send({ type: "nonsense" })), 4400);
});
