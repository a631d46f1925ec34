// Subscribers: what they cost, and how soon they hear of a point.

import { createRequire } from "node:module";
import path from "node:path";
import { performance } from "node:perf_hooks";

import { resident, sleep } from "./process.mjs";

const frontend = path.resolve(path.dirname(new URL(import.meta.url).pathname), "../../../frontend/");
const WebSocket = createRequire(path.join(frontend, "package.json"))("ws");

const FOLLOW = 'subscription { pointsAdded(tenant: "bench", series: ["live"]) { series { values } } }';
// Sockets that are opened at the same time.
const OPENING = 50;

// One that follows; `heard` is told of each point's value, when it comes.
function subscriber(service, heard) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(service.url.replace("http", "ws"), "graphql-transport-ws", { perMessageDeflate: false });
    const send = (message) => socket.send(JSON.stringify(message));
    socket.once("error", reject);
    socket.once("open", () => send({ type: "connection_init", payload: { authorization: `Bearer ${service.token}` } }));
    socket.on("message", (data) => {
      const message = JSON.parse(data);
      if (message.type === "connection_ack") {
        send({ id: "1", type: "subscribe", payload: { query: FOLLOW } });
        resolve(socket);
      } else if (message.type === "next" && message.payload.data) {
        for (const { values } of message.payload.data.pointsAdded.series) values.forEach(heard);
      } else {
        reject(new Error(`a subscriber was told: ${data}`));
      }
    });
  });
}

async function publish(service, value) {
  const times = `[${Math.floor(Date.now() * 1000)}]`;
  await service.ask(`mutation { ingest(tenant: "bench", batches: [{ series: "live", times: ${times}, values: [${value}] }]) { points } }`);
}

// With `count` subscribers: the server's memory for them in MB, and the median and 99th percentile of the time from
// before a point is written until they have it, at a point a second.
export async function live(service, count, seconds) {
  await publish(service, 0);
  const before = resident(service.program.pid);
  let latencies = [];
  let lost = 0;
  // A value is when it was sent.
  const heard = (value) => latencies.push(performance.now() - value);
  const sockets = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(OPENING, count - sockets.length) }, () => subscriber(service, heard));
    sockets.push(...(await Promise.all(some)));
  }
  sockets.forEach((socket) => socket.once("close", () => (lost += 1)));
  await sleep(3_000);
  latencies = [];
  for (let second = 0; second < seconds; second += 1) {
    const next = sleep(1_000);
    await publish(service, performance.now());
    await next;
  }
  await sleep(2_000);
  const memory = resident(service.program.pid) - before;
  const expected = count * seconds;
  if (lost > 0) throw new Error(`${lost} of ${count} subscribers were cut off`);
  if (latencies.length !== expected) throw new Error(`${latencies.length} of ${expected} points were heard`);
  sockets.forEach((socket) => socket.terminate());
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)];
  return { count, memory, p50: at(0.5), p99: at(0.99) };
}
