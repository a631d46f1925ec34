// Sundial and its peers. Each is started afresh in a directory of its own and offers
//
//     ingest(load)      sends points; resolves to points a second and the median latency in ms
//     count(name)       how many points are stored under a name
//     windows(name)     ms until count, least, greatest and mean of a thousand windows are there
//     compact(), merge(), pack(), prepare(window)   what it would do by itself in time, done at once
//
// where it has them. `pids` are the processes whose CPU time is its own.

import fs from "node:fs";
import path from "node:path";
import { performance } from "node:perf_hooks";

import { answers, freePort, run, size, start } from "./process.mjs";

const root = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), "../../..");
const built = path.join(process.env.CARGO_TARGET_DIR || path.join(root, "target"), "release");
const tools = process.env.SUNDIAL_TOOLS;

// The series that windows are asked of: a point a second.
export const WINDOW = { name: "gauge_window", start: 1_600_000_000, points: 2_600_000, every: 2_600 };

const peer = (name) => path.join(tools, "peers", name);
export const has = (name) => fs.existsSync(peer(name));

async function load(kind, url, options, rest) {
  const given = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const output = await run([path.join(built, "sundial-bench"), "--kind", kind, "--url", url, ...given, ...rest]);
  const report = JSON.parse(output);
  return { rate: report.points_per_second, p50: report.p50_ms };
}

async function timed(work) {
  const begin = performance.now();
  const answer = await work();
  return { ms: performance.now() - begin, answer };
}

async function get(url, options) {
  const answer = await fetch(url, options);
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${answer.status} ${text.slice(0, 500)}`);
  return text;
}

function same(counted) {
  if (counted !== WINDOW.points) throw new Error(`windows hold ${counted} of ${WINDOW.points} points`);
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

export class Sundial {
  name = "Sundial";
  // count() counts whatever is stored.
  counts = "all";

  // `postgres`: a superuser's URL and the postmaster's process; without it, on SQLite.
  static async start(label, directory, postgres, tenants = ["bench"]) {
    const service = new Sundial();
    service.label = label;
    service.directory = path.join(directory, label);
    fs.mkdirSync(service.directory);
    service.postgres = postgres;
    if (!postgres) service.name = "Sundial on SQLite";
    const program = path.join(built, "sundial");
    let owner = `sqlite:${path.join(service.directory, "sundial.db")}`;
    let application = owner;
    const migrate = ["migrate", "up"];
    if (postgres) {
      const role = `${label}_application`;
      await postgres.sql(`CREATE ROLE ${label} LOGIN PASSWORD 'bench' NOSUPERUSER`);
      await postgres.sql(`CREATE ROLE ${role} LOGIN PASSWORD 'bench' NOSUPERUSER`);
      await postgres.sql(`CREATE DATABASE ${label} OWNER ${label}`);
      owner = postgres.url(label, label);
      application = postgres.url(label, role);
      migrate.push("--application-role", role);
    }
    const declared = path.join(service.directory, "tenants.yaml");
    const declare = (slug) => `{ slug: ${slug}, name: Bench, group: bench, environment: PROD, access: [{ organization: bench, role: ADMIN }] }`;
    fs.writeFileSync(declared, `tenants: [${tenants.map(declare)}]\n`);
    const env = { ...process.env, SUNDIAL_DATABASE_URL: owner };
    await run([program, ...migrate], { env });
    await run([program, "apply", declared], { env });
    const create = (slug) => run([program, "token", "create", "--tenant", slug, "--name", "bench"], { env });
    service.tokens = await Promise.all(tenants.map(async (slug) => (await create(slug)).trim()));
    service.token = service.tokens[0];
    const port = await freePort();
    const management = await freePort();
    const unlimited = ["--operations-per-principal", "0", "--operations-per-address", "0", "--trusted-proxies", "1"];
    const listen = ["--listen", `127.0.0.1:${port}`, "--management-listen", `127.0.0.1:${management}`];
    service.env = { ...env, SUNDIAL_DATABASE_URL: application };
    service.program = start(label, [program, "serve", ...listen, ...unlimited], { env: service.env }, directory);
    service.url = `http://127.0.0.1:${port}/graphql`;
    await answers(service.program, `http://127.0.0.1:${management}/readyz`);
    service.pids = [service.program.pid, ...(postgres ? [postgres.pid] : [])];
    return service;
  }

  ingest(options) {
    return load("sundial", this.url, options, ["--token", this.token]);
  }

  async ask(query, variables = {}, token = this.token) {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const answer = JSON.parse(await get(this.url, { method: "POST", headers, body: JSON.stringify({ query, variables }) }));
    if (answer.errors) throw new Error(JSON.stringify(answer.errors));
    return answer.data;
  }

  async count() {
    return (await this.ask('{tenant(slug:"bench"){usage{points}}}')).tenant.usage.points;
  }

  async windows({ name, start: from, points, every }) {
    const range = `{from:${from * 1e6},to:${(from + points) * 1e6}}`;
    const query = `{tenant(slug:"bench"){series(first:1,match:"${name}"){nodes{windows(range:${range},every:"${every}s"){starts count min max avg}}}}}`;
    const { ms, answer } = await timed(() => this.ask(query));
    same(sum(answer.tenant.series.nodes[0].windows.count));
    return ms;
  }

  compact() {
    return run([path.join(built, "sundial"), "compact", "--tenant", "bench"], { env: this.env });
  }

  // Rows without the room that those before them left, which PostgreSQL would use for others in time. (VictoriaMetrics is
  // made to merge its files.)
  async pack() {
    if (this.postgres) await this.postgres.sql("VACUUM FULL chunk", this.label);
  }

  // Bytes of the chunks, their indices included. (The written batches are kept for an hour beside them.)
  async bytes() {
    if (this.postgres) {
      return Number(await this.postgres.sql("SELECT pg_total_relation_size('chunk')", this.label));
    }
    const query = "SELECT sum(pgsize) FROM dbstat WHERE name = 'chunk' OR name IN (SELECT name FROM sqlite_master WHERE tbl_name = 'chunk')";
    return Number(await run(["sqlite3", path.join(this.directory, "sundial.db"), query]));
  }
}

// Rows of (tenant, series, time, value), each with a key.
class Rows {
  constructor(name, kind, postgres, directory) {
    Object.assign(this, { name, kind, postgres, pids: [postgres.pid], scripts: path.join(directory, kind) });
  }

  // A role and a database are not needed: the superuser skips what would only slow it down.
  table = (name) => `${name}_${this.kind}`;

  async ingest({ name, ...options }) {
    const table = this.table(name);
    await this.postgres.sql(
      `CREATE TABLE IF NOT EXISTS ${table} (tenant int, series int, at bigint, value float8, PRIMARY KEY (tenant, series, at))`,
    );
    const given = Object.entries({ connections: 4, ...options, name: table }).flatMap(([key, value]) => [`--${key}`, String(value)]);
    fs.rmSync(this.scripts, { recursive: true, force: true });
    await run([path.join(built, "sundial-bench"), "--kind", this.kind, "--scripts", this.scripts, ...given]);
    const scripts = fs.readdirSync(this.scripts).map((file) => path.join(this.scripts, file));
    const { ms } = await timed(() => Promise.all(scripts.map((script) => this.postgres.psql(["-f", script]))));
    return { rate: (options.requests * options.series * options.points) / (ms / 1000) };
  }

  async count(name) {
    return Number(await this.postgres.sql(`SELECT count(*) FROM ${this.table(name)}`));
  }
}

export class Copy extends Rows {
  constructor(postgres, directory) {
    super("`\\copy`", "copy", postgres, directory);
  }

  // The rows with the type of time that date_bin asks for.
  async prepare({ name }) {
    const table = `${this.table(name)}_dated`;
    await this.postgres.sql(`CREATE TABLE ${table} (tenant int, series int, at timestamptz, value float8, PRIMARY KEY (tenant, series, at))`);
    await this.postgres.sql(`INSERT INTO ${table} SELECT tenant, series, to_timestamp(at / 1e6), value FROM ${this.table(name)}`);
    await this.postgres.sql(`VACUUM ANALYZE ${table}`);
  }

  async windows({ name, start: from, points, every }) {
    const query = `SELECT date_bin('${every} s', at, to_timestamp(${from})), count(*), min(value), max(value), avg(value) FROM ${this.table(name)}_dated
      WHERE tenant = 1 AND series = 0 AND at >= to_timestamp(${from}) AND at < to_timestamp(${from + points}) GROUP BY 1 ORDER BY 1`;
    const output = await this.postgres.psql(["-c", "\\timing on", "-c", query]);
    same(sum(output.split("\n").map((line) => Number(line.split("|")[1] ?? 0))));
    return Number(/Time: ([\d.]+) ms/.exec(output)[1]);
  }
}

export class Unnest extends Rows {
  constructor(postgres, directory) {
    super("`INSERT … unnest`", "unnest", postgres, directory);
  }
}

export class Postgraphile {
  name = "PostGraphile";
  counts = "all";

  static async start(directory, postgres) {
    await postgres.sql("CREATE DATABASE postgraphile");
    await postgres.sql("CREATE TABLE rows (tenant int, series int, at bigint, value float8, PRIMARY KEY (tenant, series, at))", "postgraphile");
    await postgres.sql(
      `CREATE FUNCTION ingest(series int[], times bigint[], vals float8[]) RETURNS int LANGUAGE sql VOLATILE AS
        $$ INSERT INTO rows SELECT 1, * FROM unnest(series, times, vals); SELECT cardinality(times) $$`,
      "postgraphile",
    );
    return Postgraphile.serve("postgraphile", directory, postgres);
  }

  // On the database of this name. `context` is the source code of what tells PostgreSQL who asks; `processes` share a port.
  static async serve(label, directory, postgres, { role, context = "", processes } = {}) {
    const service = new Postgraphile();
    const home = path.join(directory, label);
    fs.mkdirSync(home);
    const port = await freePort();
    const packages = path.join(peer("postgraphile"), "node_modules");
    fs.symlinkSync(packages, path.join(home, "node_modules"));
    fs.writeFileSync(
      path.join(home, "graphile.config.mjs"),
      `import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makePgService } from "postgraphile/adaptors/pg";
import jwt from "jsonwebtoken";
export default {
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ connectionString: ${JSON.stringify(postgres.url(label, role))}, schemas: ["public"] })],
  grafserv: { host: "127.0.0.1", port: ${port}, graphqlPath: "/graphql", maxRequestLength: 50_000_000 },
  grafast: { ${context} },
};
`,
    );
    const command = [path.join(packages, ".bin/node"), path.join(packages, ".bin/postgraphile")];
    if (processes) {
      const each = `for (let count = 0; count < ${processes}; count += 1) cluster.fork();`;
      fs.writeFileSync(path.join(home, "cluster.mjs"), `import cluster from "node:cluster";\ncluster.setupPrimary({ exec: "${command[1]}" });\n${each}\n`);
      command[1] = path.join(home, "cluster.mjs");
    }
    service.program = start(label, command, { cwd: home, env: { ...process.env, NODE_ENV: "production", GRAPHILE_ENV: "production" } }, directory);
    service.url = `http://127.0.0.1:${port}/graphql`;
    service.postgres = postgres;
    await answers(service.program, `${service.url}?query=%7B__typename%7D`);
    service.pids = [service.program.pid, postgres.pid];
    return service;
  }

  ingest({ name, ...options }) {
    return load("postgraphile", this.url, options, []);
  }

  async count() {
    return Number(await this.postgres.sql("SELECT count(*) FROM rows", "postgraphile"));
  }
}

export class Influx {
  name = "InfluxDB";

  static async start(directory) {
    const service = new Influx();
    const home = path.join(directory, "influxdb");
    fs.mkdirSync(home);
    const port = await freePort();
    fs.writeFileSync(
      path.join(home, "influx.conf"),
      `reporting-disabled = true
bind-address = "127.0.0.1:${await freePort()}"
[meta]
  dir = "${home}/meta"
[data]
  dir = "${home}/data"
  wal-dir = "${home}/wal"
  max-series-per-database = 0
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
`,
    );
    service.program = start("influxdb", [peer("influxdb"), "-config", path.join(home, "influx.conf")], {}, directory);
    service.url = `http://127.0.0.1:${port}`;
    await answers(service.program, `${service.url}/ping`);
    await get(`${service.url}/query?q=CREATE%20DATABASE%20bench`, { method: "POST" });
    service.pids = [service.program.pid];
    return service;
  }

  ingest(options) {
    return load("influx", `${this.url}/write?db=bench`, options, []);
  }

  async ask(query) {
    const answer = JSON.parse(await get(`${this.url}/query?db=bench&epoch=s&q=${encodeURIComponent(query)}`));
    return answer.results[0].series[0].values;
  }

  async count(name) {
    return (await this.ask(`SELECT count(value) FROM ${name}`))[0][1];
  }

  async windows({ name, start: from, points, every }) {
    const query = `SELECT count(value), min(value), max(value), mean(value) FROM ${name} WHERE host = 'h0' AND time >= ${from}s AND time < ${from + points}s GROUP BY time(${every}s)`;
    const { ms, answer } = await timed(() => this.ask(query));
    same(sum(answer.map(([, count]) => count)));
    return ms;
  }
}

export class Victoria {
  name = "VictoriaMetrics";

  static async start(label, directory) {
    const service = new Victoria();
    service.home = path.join(directory, label);
    const port = await freePort();
    // It has no durable commit: the shortest time until points reach the disk is a second.
    const flags = [`-storageDataPath=${service.home}`, `-httpListenAddr=127.0.0.1:${port}`, "-retentionPeriod=100y", "-inmemoryDataFlushInterval=1s", "-search.maxSamplesPerSeries=1000000000", "-search.maxSamplesPerQuery=10000000000"];
    service.program = start(label, [peer("victoriametrics"), ...flags], {}, directory);
    service.url = `http://127.0.0.1:${port}`;
    await answers(service.program, `${service.url}/health`);
    service.pids = [service.program.pid];
    return service;
  }

  ingest(options) {
    return load("influx-millis", `${this.url}/write?precision=ms`, options, []);
  }

  async ask(kind, options) {
    const query = new URLSearchParams({ nocache: 1, ...options });
    return JSON.parse(await get(`${this.url}/api/v1/${kind}?${query}`)).data.result;
  }

  async count(name) {
    await get(`${this.url}/internal/force_flush`);
    const result = await this.ask("query", { query: `sum(count_over_time(${name}_value[100y]))`, time: 1_790_000_000 });
    return Number(result[0].value[1]);
  }

  async windows({ name, start: from, points, every }) {
    const range = `${name}_value{host="h0"}[${every}s]`;
    const query = `(rollup(${range}), label_set(count_over_time(${range}), "rollup", "count"))`;
    // A window ends at its time, which belongs to it.
    const ends = { start: from + every - 1, end: from + points - 1, step: `${every}s` };
    const { ms, answer } = await timed(() => this.ask("query_range", { query, ...ends }));
    const counts = answer.find(({ metric }) => metric.rollup === "count").values;
    same(sum(counts.map(([, count]) => Number(count))));
    return ms;
  }

  async merge() {
    await get(`${this.url}/internal/force_flush`);
    await get(`${this.url}/internal/force_merge`);
  }

  bytes() {
    return size(path.join(this.home, "data")) + size(path.join(this.home, "indexdb"));
  }
}

export class Quest {
  name = "QuestDB";

  static async start(directory) {
    const service = new Quest();
    const home = path.join(directory, "questdb");
    fs.mkdirSync(path.join(home, "conf"), { recursive: true });
    const port = await freePort();
    const settings = [`http.bind.to=127.0.0.1:${port}`, "http.min.enabled=false", "pg.enabled=false", "line.tcp.enabled=false", "cairo.commit.mode=sync", "telemetry.enabled=false"];
    fs.writeFileSync(path.join(home, "conf", "server.conf"), `${settings.join("\n")}\n`);
    service.program = start("questdb", ["java", "-p", peer("questdb"), "-m", "io.questdb/io.questdb.ServerMain", "-d", home], {}, directory);
    service.url = `http://127.0.0.1:${port}`;
    await answers(service.program, `${service.url}/ping`);
    service.pids = [service.program.pid];
    return service;
  }

  ingest(options) {
    return load("influx", `${this.url}/write`, options, []);
  }

  async ask(query) {
    return JSON.parse(await get(`${this.url}/exec?query=${encodeURIComponent(query)}`)).dataset;
  }

  async count(name) {
    return (await this.ask(`SELECT count() FROM ${name}`))[0][0];
  }

  async windows({ name, every }) {
    const query = `SELECT timestamp, count(), min(value), max(value), avg(value) FROM ${name} WHERE host = 'h0' SAMPLE BY ${every}s`;
    const { ms, answer } = await timed(() => this.ask(query));
    same(sum(answer.map(([, count]) => count)));
    return ms;
  }
}
