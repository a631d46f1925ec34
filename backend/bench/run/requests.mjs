// GraphQL requests over HTTP: as many as a service answers, or so many a second.

import net from "node:net";
import { performance } from "node:perf_hooks";

import { cpu, rest, sleep } from "./process.mjs";

const CONNECTIONS = 8;
// While requests come at their own pace, there is to be one for each: those that wait, wait for the service.
const ENOUGH = 64;

// One request after the other over one connection. (Node's own client takes five times as much of the processor, which it
// shares with who is measured.)
export class Connection {
  static async open(url) {
    const connection = new Connection();
    const { hostname, port } = new URL(url);
    const socket = net.connect({ host: hostname, port, noDelay: true });
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    const fail = (error) => connection.reject?.(error ?? new Error("the connection was closed"));
    socket.on("data", (data) => connection.take(data)).on("error", fail).on("close", () => fail());
    return Object.assign(connection, { socket, received: Buffer.alloc(0) });
  }

  // Resolves to the body of the answer.
  send(request) {
    return new Promise((resolve, reject) => {
      Object.assign(this, { resolve, reject });
      this.socket.write(request, (error) => error && reject(error));
    });
  }

  take(data) {
    this.received = this.received.length ? Buffer.concat([this.received, data]) : data;
    const end = this.received.indexOf("\r\n\r\n");
    if (end < 0) return;
    const head = this.received.latin1Slice(0, end);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (!length) return this.reject(new Error(`an answer without length: ${head}`));
    if (this.received.length < end + 4 + Number(length)) return;
    const body = this.received.subarray(end + 4);
    this.received = Buffer.alloc(0);
    this.resolve(body);
  }

  close() {
    this.reject = undefined;
    this.socket.destroy();
  }
}

export function request(url, token, query) {
  const { host: to, pathname } = new URL(url);
  const body = JSON.stringify({ query });
  const proof = token ? `authorization: Bearer ${token}\r\n` : "";
  return Buffer.from(
    `POST ${pathname} HTTP/1.1\r\nhost: ${to}\r\n${proof}content-type: application/json\r\naccept: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

async function connected(url, count, work) {
  const connections = await Promise.all(Array.from({ length: count }, () => Connection.open(url)));
  await work(connections);
  connections.forEach((connection) => connection.close());
}

async function ask(connection, { service, sent, answer }) {
  if (!answer.equals(await connection.send(sent))) throw new Error(`${service.name} gives another answer than before`);
}

// As many as are answered: how many a second, and µs of CPU time for each of the service, of its database, and here.
export async function full(list, seconds) {
  const { program, postgres, pids, url } = list.service;
  const taken = () => [cpu([program.pid]), cpu([postgres.pid])];
  const [before, own, begin] = [taken(), process.cpuUsage(), performance.now()];
  let asked = 0;
  let took;
  await connected(url, CONNECTIONS, async (connections) => {
    const each = async (connection) => {
      for (; performance.now() - begin < seconds * 1_000; asked += 1) await ask(connection, list);
    };
    await Promise.all(connections.map(each));
    took = (performance.now() - begin) / 1_000;
  });
  const { user, system } = process.cpuUsage(own);
  await rest(pids);
  const [service, database] = taken().map((seconds, place) => ((seconds - before[place]) * 1e6) / asked);
  return { rate: asked / took, service, database, own: (user + system) / asked };
}

// At so many a second, whether those before are answered or not: the median and the 99th percentile of the ms from when
// one is due until its answer is there.
export async function paced(list, rate, seconds) {
  const latencies = [];
  await connected(list.service.url, ENOUGH, async (connections) => {
    const waiting = [];
    const all = [];
    let failed;
    const one = async (due) => {
      // Each in its turn, for there may be a process behind it that others do not reach.
      const connection = connections.shift() ?? (await new Promise((resolve) => waiting.push(resolve)));
      try {
        await ask(connection, list);
        latencies.push(performance.now() - due);
      } finally {
        const next = waiting.shift();
        if (next) next(connection);
        else connections.push(connection);
      }
    };
    const begin = performance.now();
    for (let number = 0; number < rate * seconds; number += 1) {
      const due = begin + (number * 1_000) / rate;
      const early = due - performance.now();
      if (early > 0) await sleep(Math.ceil(early));
      all.push(one(due).catch((error) => (failed = error)));
    }
    await Promise.all(all);
    if (failed) throw failed;
  });
  latencies.sort((a, b) => a - b);
  const at = (share) => latencies[Math.floor(latencies.length * share)];
  return { p50: at(0.5), p99: at(0.99) };
}
