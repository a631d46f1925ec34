// Lists, as pages and scripts read them, of Sundial and PostGraphile. Both are shown a bearer token with each request, and
// both have PostgreSQL's row-level security say which rows its tenant sees.

import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import os from "node:os";

import { Connection, request } from "./requests.mjs";
import { Postgraphile, Sundial, has } from "./services.mjs";

// What each of two tenants stores: a point a second.
const STORED = { series: 50, points: 1_000, start: 1_700_000_000 };
const PAGE = 20;
const NESTED = 10;

// `pace`: how often a second each is asked for while it is measured how long one takes; less than what either can do.
export const LISTS = [
  { name: "flat", title: `list of ${PAGE}`, pace: 200 },
  { name: "nested", title: `nested ${PAGE} × ${NESTED}`, pace: 100 },
];

const numbers = (length) => Array.from({ length }, (_, number) => number);
const host = (series) => `h${String(series).padStart(2, "0")}`;
// The tenants' values have different signs, so that none can pass for the other's.
const value = (sign, series, point) => (sign * (10 * (series + 1) + point)) / 10;

async function sundial(directory, postgres) {
  const service = await Sundial.start("lists", directory, postgres, ["bench", "other"]);
  const times = numbers(STORED.points).map((point) => (STORED.start + point) * 1e6);
  for (const [slug, token, sign] of [["bench", service.tokens[0], 1], ["other", service.tokens[1], -1]]) {
    const batches = numbers(STORED.series).map((series) => ({
      series: `gauge{host="${host(series)}"}`,
      times,
      values: times.map((_, point) => value(sign, series, point)),
    }));
    await service.ask("mutation($t:String!,$b:[SeriesBatch!]!){ingest(tenant:$t,batches:$b){points}}", { t: slug, b: batches }, token);
  }
  await service.compact();
  const list = (fields) => `{tenant(slug:"bench"){series(first:${PAGE}){nodes{${fields}}}}}`;
  const range = `{from:${times[0]},to:${times[0] + STORED.points * 1e6}}`;
  return {
    service,
    token: service.token,
    flat: list("key name unit labels{name value}"),
    nested: list(`key points(range:${range},first:${NESTED}){nodes{time value}}`),
    nodes: (data) => data.tenant.series.nodes,
  };
}

// The second one: without the policy, rows of the first would come before its own.
const TENANT = 2;
// A row of each series and point, behind a role that owns nothing; a key leads to the points of a series in their order.
const TABLES = `
  CREATE TABLE series (tenant int, id int, key text NOT NULL, name text NOT NULL, unit text, labels jsonb NOT NULL, PRIMARY KEY (tenant, id));
  CREATE TABLE sample (tenant int, series int, time timestamptz, value float8 NOT NULL, PRIMARY KEY (tenant, series, time),
    FOREIGN KEY (tenant, series) REFERENCES series);
  INSERT INTO series SELECT tenant, id, format('gauge{host="%s"}', host), 'gauge', NULL, json_build_array(json_build_object('name', 'host', 'value', host))
    FROM generate_series(1, ${TENANT}) tenant, generate_series(0, ${STORED.series - 1}) id, format('h%s', lpad(id::text, 2, '0')) host;
  INSERT INTO sample SELECT tenant, id, to_timestamp(${STORED.start} + at), (2 * tenant - 3) * (id + 1 + at / 10.0)
    FROM series, generate_series(0, ${STORED.points - 1}) at;
  ALTER TABLE series ENABLE ROW LEVEL SECURITY;
  ALTER TABLE sample ENABLE ROW LEVEL SECURITY;
  CREATE POLICY own ON series USING (tenant = nullif(current_setting('app.tenant', true), '')::int);
  CREATE POLICY own ON sample USING (tenant = nullif(current_setting('app.tenant', true), '')::int);
  GRANT SELECT ON series, sample TO lists_reader`;

const base64 = (value) => Buffer.from(value).toString("base64url");

function token(claims, secret) {
  const text = `${base64('{"alg":"HS256","typ":"JWT"}')}.${base64(JSON.stringify(claims))}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}

async function postgraphile(directory, postgres) {
  const database = "postgraphile_lists";
  const secret = randomBytes(32).toString("hex");
  await postgres.sql("CREATE ROLE lists_gate LOGIN NOINHERIT PASSWORD 'bench'; CREATE ROLE lists_reader; GRANT lists_reader TO lists_gate");
  await postgres.sql(`CREATE DATABASE ${database}`);
  await postgres.sql(TABLES, database);
  await postgres.sql("VACUUM ANALYZE", database);
  const context = `context({ node }) {
    const { tenant } = jwt.verify(node?.req.headers.authorization?.split(" ")[1], "${secret}", { algorithms: ["HS256"] });
    return { pgSettings: { role: "lists_reader", "app.tenant": String(tenant) } };
  }`;
  const service = await Postgraphile.serve(database, directory, postgres, { role: "lists_gate", context, processes: os.cpus().length });
  const list = (fields) => `{allSeries(first:${PAGE}){nodes{${fields}}}}`;
  return {
    service,
    token: token({ tenant: TENANT, exp: Math.floor(Date.now() / 1000) + 86_400 }, secret),
    flat: list("key name unit labels"),
    nested: list(`key points:samplesByTenantAndSeries(first:${NESTED},orderBy:TIME_ASC){nodes{time value}}`),
    nodes: (data) => data.allSeries.nodes,
  };
}

// Those who list; PostGraphile only where it is installed.
export async function listers(directory, postgres) {
  const start = has("postgraphile") ? [sundial, postgraphile] : [sundial];
  return Promise.all(start.map((start) => start(directory, postgres)));
}

// What is sent, and the answer to it: looked at once, so that each that follows has only to be the same.
export async function prepare({ service, token, nodes, ...queries }, { name }) {
  const connection = await Connection.open(service.url);
  const ask = (token) => connection.send(request(service.url, token, queries[name]));
  const refused = JSON.parse(await ask());
  assert.ok(refused.errors && !refused.data, `${service.name} lists without a token`);
  const answer = await ask(token);
  connection.close();
  const expected = numbers(PAGE).map((series) => {
    const labels = [{ name: "host", value: host(series) }];
    const points = numbers(NESTED).map((point) => ({ time: (STORED.start + point) * 1_000, value: value(1, series, point) }));
    const key = `gauge{host="${host(series)}"}`;
    return name === "flat" ? { key, name: "gauge", unit: null, labels } : { key, points: { nodes: points } };
  });
  const { data, errors } = JSON.parse(answer);
  assert.ok(!errors, `${service.name}: ${JSON.stringify(errors)}`);
  const listed = nodes(data);
  for (const { points } of listed) points?.nodes.forEach((point) => (point.time = Date.parse(point.time)));
  assert.deepStrictEqual(listed, expected, service.name);
  return { service, answer, sent: request(service.url, token, queries[name]) };
}
