// Measures Sundial beside its peers on this machine and writes the tables of docs/benchmarks.md. `make bench` calls it.
//
// Services run side by side and are measured in turns, so that what else the machine does meets all of them; each
// figure is the median of its turns. Everything is checked: what was sent is stored, and answers hold all points.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { LISTS, listers, prepare } from "./lists.mjs";
import { live } from "./live.mjs";
import { Postgres } from "./postgres.mjs";
import { cpu, peak, rest, sleep, stop, stopAll } from "./process.mjs";
import { report } from "./report.mjs";
import { full, paced } from "./requests.mjs";
import { Copy, Influx, Postgraphile, Quest, Sundial, Unnest, Victoria, WINDOW, has } from "./services.mjs";

const quick = process.argv.includes("--quick");
const ROUNDS = quick ? 1 : 5;
const LARGE = quick ? 5_000_000 : 100_000_000;
// A turn of each service is to last some seconds: the points of one, in millions.
const TURN = { Sundial: 10, "Sundial on SQLite": 6, VictoriaMetrics: 10, QuestDB: 4, InfluxDB: 3, "`\\copy`": 2, "`INSERT … unnest`": 1.5, PostGraphile: 0.6 };

// How points come: series in a request, points of each, from when on, and how much slower that is than the first.
const SHAPES = [
  { name: "gauge_long", series: 1, points: 10_000, from: 1_610_000_000, slower: 1 },
  { name: "gauge_mixed", series: 100, points: 100, from: 1_680_000_000, slower: 1.2 },
  { name: "gauge_wide", series: 1_000, points: 1, from: 1_690_000_000, slower: 4 },
];

// By the names of tools/setup, in its versions.
const PEERS = [
  { name: "postgraphile", title: "PostGraphile 5.1", start: (directory, postgres) => Postgraphile.start(directory, postgres) },
  { name: "influxdb", title: "InfluxDB 1.6.7", start: (directory) => Influx.start(directory) },
  { name: "victoriametrics", title: "VictoriaMetrics 1.151", start: (directory) => Victoria.start("victoriametrics", directory) },
  { name: "questdb", title: "QuestDB 9.1", start: (directory) => Quest.start(directory) },
];

const begin = Date.now();
const say = (line) => console.log(`${String(Math.floor((Date.now() - begin) / 60_000)).padStart(2)} min  ${line}`);
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function lists(directory, postgres) {
  const seconds = quick ? 1 : 3;
  const those = await listers(directory, postgres);
  const figures = [];
  for (const { pace, ...kind } of LISTS) {
    const turns = await Promise.all(those.map(async (one) => ({ list: await prepare(one, kind), all: [] })));
    for (let round = 0; round <= ROUNDS; round += 1) {
      for (const { list, all } of turns) {
        const figure = { ...(await full(list, seconds)), ...(await paced(list, pace, seconds)) };
        // The first turn warms up.
        if (round > 0) all.push(figure);
      }
    }
    for (const { list, all } of turns) {
      const medians = Object.fromEntries(Object.keys(all[0]).map((name) => [name, median(all.map((figure) => figure[name]))]));
      say(`${kind.title}: ${list.service.name} ${medians.rate.toFixed(0)} a second, 99 % within ${medians.p99.toFixed(1)} ms at ${pace}`);
      figures.push({ ...kind, pace, who: list.service.name, ...medians });
    }
  }
  for (const { service } of those) await stop(service.program);
  return figures;
}

async function ingestion(services) {
  const figures = [];
  for (const { slower, from, ...shape } of SHAPES) {
    const turns = new Map(services.map((service) => [service, { rates: [], costs: [], sent: 0 }]));
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const service of services) {
        const all = (TURN[service.name] * 1e6) / slower / (quick ? 4 : 1);
        const requests = Math.ceil(all / (shape.series * shape.points));
        const turn = turns.get(service);
        const before = cpu(service.pids);
        const start = from + round * requests * shape.points;
        const { rate } = await service.ingest({ ...shape, requests, start });
        await rest(service.pids);
        const points = requests * shape.series * shape.points;
        turn.rates.push(rate);
        turn.costs.push(((cpu(service.pids) - before) / points) * 1e6);
        turn.sent += points;
        say(`${shape.series} × ${shape.points}: ${service.name} ${(rate / 1e6).toFixed(2)} M points/s`);
      }
    }
    for (const [service, { rates, costs, sent }] of turns) {
      service.sent = (service.sent ?? 0) + sent;
      const stored = await service.count(shape.name);
      const expected = service.counts === "all" ? service.sent : sent;
      if (stored !== expected) throw new Error(`${service.name} holds ${stored} of ${expected} points`);
      figures.push({ ...shape, service: service.name, rate: median(rates), cost: median(costs) });
    }
  }
  return figures;
}

async function windows(services) {
  for (const service of services) {
    const { name, start, points } = WINDOW;
    await service.ingest({ name, start, series: 1, points: 10_000, requests: points / 10_000 });
    await service.compact?.();
    await service.prepare?.(WINDOW);
    await service.merge?.();
    await rest(service.pids);
  }
  const times = new Map(services.map((service) => [service, []]));
  for (let turn = 0; turn < (quick ? 3 : 15); turn += 1) {
    for (const service of services) {
      const ms = await service.windows(WINDOW);
      // The first turn warms up.
      if (turn > 0) times.get(service).push(ms);
    }
  }
  return services.map((service) => {
    const ms = median(times.get(service));
    say(`windows: ${service.name} ${ms.toFixed(1)} ms`);
    return { service: service.name, ms };
  });
}

async function sizes(directory, postgres) {
  const figures = [];
  for (const gauge of ["exact", "jitter", "jitter-millis"]) {
    const label = gauge.replace("-", "_");
    const services = [await Sundial.start(`${label}_points`, directory, postgres), await Sundial.start(`${label}_file`, directory)];
    // It has no times in µs.
    if (has("victoriametrics") && gauge !== "jitter") services.push(await Victoria.start(`${label}_victoria`, directory));
    for (const service of services) {
      const shape = { series: 100, points: 100, requests: quick ? 200 : 1_000 };
      await service.ingest({ name: "gauge", gauge, ...shape });
      await service.compact?.();
      await service.merge?.();
      await service.pack?.();
      await rest(service.pids);
      const bytes = (await service.bytes()) / (shape.series * shape.points * shape.requests);
      say(`at rest, ${gauge}: ${service.name} ${bytes.toFixed(3)} bytes a point`);
      figures.push({ gauge, service: service.name, bytes });
      await stop(service.program);
    }
  }
  return figures;
}

// The time of a request while little and while much is stored.
async function growth(directory, postgres, full) {
  const few = await Sundial.start("few", directory, postgres);
  const long = { name: "gauge_long", series: 1, points: 10_000 };
  await few.ingest({ ...long, requests: 100 });
  for (let round = 0, stored = await full.count(); stored < LARGE; round += 1, stored = await full.count()) {
    const requests = Math.min(1_000, Math.ceil((LARGE - stored) / 10_000));
    await full.ingest({ name: "gauge_fill", series: 10, points: 1_000, requests, start: 1_500_000_000 + round * 1_000_000 });
    say(`${Math.round((await full.count()) / 1e6)} M points stored`);
  }
  await rest(full.pids);
  const times = { few: [], full: [] };
  for (let turn = 0; turn < (quick ? 2 : 11); turn += 1) {
    for (const [name, service] of Object.entries({ few, full })) {
      const { p50 } = await service.ingest({ ...long, requests: 40, start: 1_700_000_000 + turn * 400_000 });
      times[name].push(p50);
      await sleep(200);
    }
  }
  const [before, after] = [median(times.few), median(times.full)];
  say(`a request's median: ${before.toFixed(2)} ms with 1 M points stored, ${after.toFixed(2)} ms with ${LARGE / 1e6} M`);
  await rest(full.pids);
  const stored = await full.count();
  return { few: before, full: after, stored, bytes: (await full.bytes()) / stored };
}

async function subscribers(directory, postgres) {
  const service = await Sundial.start("live", directory, postgres);
  const figures = [];
  for (const count of quick ? [100] : [1_000, 10_000]) {
    const figure = await live(service, count, quick ? 3 : 20);
    say(`${count} subscribers: ${figure.memory.toFixed(0)} MB, 99 % of points within ${figure.p99.toFixed(0)} ms`);
    figures.push(figure);
  }
  await stop(service.program);
  return figures;
}

async function main() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "sundial-bench-"));
  try {
    const postgres = await Postgres.connect(process.env.SUNDIAL_TEST_POSTGRES);
    // Before others are there to hold it up.
    const listed = await lists(directory, postgres);
    const sundial = await Sundial.start("sundial", directory, postgres);
    const file = await Sundial.start("sundial_file", directory);
    const copy = new Copy(postgres, directory);
    const unnest = new Unnest(postgres, directory);
    const others = [];
    for (const { name, start } of PEERS) {
      if (has(name)) others.push(await start(directory, postgres));
      else say(`${name} is not installed here and is left out (tools/setup peers)`);
    }
    const services = [sundial, file, ...others, copy, unnest];
    const figures = { lists: listed, ingestion: await ingestion(services) };
    figures.windows = await windows(services.filter((service) => service.windows));
    figures.sizes = await sizes(directory, postgres);
    figures.growth = await growth(directory, postgres, sundial);
    figures.subscribers = await subscribers(directory, postgres);
    figures.memory = services.filter((service) => service.program).map((service) => ({ service: service.name, peak: peak(service.program.pid) }));
    figures.versions = {
      date: new Date().toISOString().slice(0, 10),
      postgres: (await postgres.sql("SHOW server_version")).split(" ")[0],
      peers: PEERS.filter(({ name }) => has(name)).map(({ title }) => title),
    };
    report(figures, !quick);
  } finally {
    await stopAll();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => stopAll().then(() => process.exit(130)));
await main();
