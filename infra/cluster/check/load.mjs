// Load on one tenant, as many people and producers make it: questions, the page, and points that are written one by one.

import assert from "node:assert/strict";
import { ask, graphql, sleep } from "./lib.mjs";

/** Goes on until `stop()`, which returns what came of it. */
export class Load {
  #running = true;
  #workers;
  asked = 0;
  failures = [];
  /** The points whose writing was acknowledged, by time in microseconds. */
  acknowledged = new Map();

  constructor({ host, tenant, token, series }) {
    Object.assign(this, { host, tenant, series, headers: { authorization: `Bearer ${token}` } });
    this.#workers = [this.#write(0), this.#write(1), this.#read(), this.#read(), this.#page()];
  }

  async #repeat(pause, once) {
    while (this.#running) {
      this.asked += 1;
      try {
        await once();
      } catch (error) {
        this.failures.push(`${new Date().toISOString()} ${error.message}`);
      }
      await sleep(pause);
    }
  }

  #write(worker) {
    let value = 0;
    return this.#repeat(30, async () => {
      value += 1;
      const at = BigInt(Date.now()) * 1000n + BigInt(worker);
      const time = new Date(Number(at / 1000n)).toISOString().replace("Z", `${String(at % 1000n).padStart(3, "0")}Z`);
      const batches = [{ series: this.series, times: [time], values: [value] }];
      await graphql(this.host, this.headers, "mutation ($tenant: String!, $batches: [SeriesBatch!]!) { ingest(tenant: $tenant, batches: $batches) { points } }", { tenant: this.tenant, batches });
      this.acknowledged.set(at, value);
    });
  }

  #read() {
    return this.#repeat(30, () => graphql(this.host, this.headers, "{ serverTime tenants { nodes { slug } } }"));
  }

  #page() {
    return this.#repeat(50, async () => {
      const { status } = await ask(`https://${this.host}/`);
      assert.equal(status, 200, `the page answers with ${status}`);
    });
  }

  async stop() {
    this.#running = false;
    await Promise.all(this.#workers);
    return this;
  }

  /** The acknowledged points that are not there, or have another value. */
  async lost() {
    const there = new Map();
    const times = [...this.acknowledged.keys()].sort();
    const iso = (at) => new Date(Number(at / 1000n)).toISOString();
    const range = { from: iso(times[0] - 1_000_000n), to: iso(times.at(-1) + 1_000_000n) };
    for (let after = null, more = true; more; ) {
      const query = `query ($tenant: String!, $match: String!, $range: TimeRange!, $after: String) { tenant(slug: $tenant) {
        series(match: $match, first: 1) { nodes { points(range: $range, first: 1000, after: $after) { nodes { time value } pageInfo { endCursor hasNextPage } } } } } }`;
      const { tenant } = await graphql(this.host, this.headers, query, { tenant: this.tenant, match: this.series, range, after });
      const { nodes, pageInfo } = tenant.series.nodes[0].points;
      for (const { time, value } of nodes) there.set(micros(time), value);
      ({ endCursor: after, hasNextPage: more } = pageInfo);
    }
    return times.filter((at) => there.get(at) !== this.acknowledged.get(at));
  }
}

/** Microseconds since 1970 of a time such as 2026-11-24T13:01:00.5Z. */
function micros(time) {
  const [, second, fraction = ""] = /^(.*:\d\d)(?:\.(\d+))?Z$/.exec(time);
  return BigInt(Date.parse(`${second}Z`)) * 1000n + BigInt(fraction.padEnd(6, "0"));
}
