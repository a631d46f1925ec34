// The tables of docs/benchmarks.md.

import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const root = path.resolve(path.dirname(new URL(import.meta.url).pathname), "../../..");
const BEGIN = "<!-- Written by `make bench`. -->";
const END = "<!-- End of what `make bench` writes. -->";

function table(head, rows) {
  const line = (cells) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${head.map((_, place) => (place ? "---:" : "---")).join("|")}|`, ...rows.map(line)].join("\n");
}

const millions = (rate) => (rate === undefined ? "–" : (rate / 1e6).toFixed(2));
const digits = (number, places) => (number === undefined ? "–" : number.toFixed(places));

// What was set out to be reached: which figure, against whom, and how far. `least` bounds a ratio from below, `most` a
// figure from above.
function goals(figures) {
  const rate = (name, service) => figures.ingestion.find((figure) => figure.name === name && figure.service === service)?.rate;
  const ms = (service) => figures.windows.find((figure) => figure.service === service)?.ms;
  const bytes = (gauge, service) => figures.sizes.find((figure) => figure.gauge === gauge && figure.service === service)?.bytes;
  const ours = "Sundial";
  const faster = (what, name, peer, least) => ({ what, peer, value: rate(name, ours) / rate(name, peer), bound: `≥ ${least}×`, ok: (value) => value >= least, unit: "×" });
  const sooner = (peer, least) => ({ what: "windows, 2.6 M points to 1,000", peer, value: ms(peer) / ms(ours), bound: `≥ ${least}×`, ok: (value) => value >= least, unit: "×" });
  const smaller = (what, peer, value, most, unit) => ({ what, peer, value, bound: `≤ ${most}${unit}`, ok: (value) => value <= most, unit });
  const list = (of, service) => figures.lists.find(({ name, who }) => name === of && who === service);
  const listed = ({ name, title, pace }) => {
    const [own, theirs] = [list(name, ours), list(name, "PostGraphile")];
    return [
      { what: `${title}, requests a second`, peer: "PostGraphile", value: own.rate / theirs?.rate, bound: "≥ 4×", ok: (value) => value >= 4, unit: "×" },
      smaller(`${title}, 99th percentile at ${pace} a second`, "PostGraphile", own.p99 / theirs?.p99, 1, "×"),
    ];
  };
  const long = "ingest, 10,000 points a request";
  return [
    faster(long, "gauge_long", "`\\copy`", 5),
    faster(long, "gauge_long", "PostGraphile", 10),
    faster(long, "gauge_long", "InfluxDB", 3),
    faster(long, "gauge_long", "QuestDB", 2),
    faster(long, "gauge_long", "VictoriaMetrics", 1.5),
    faster("ingest, 1,000 series × 1 point a request", "gauge_wide", "`\\copy`", 1),
    sooner("`\\copy`", 20),
    sooner("InfluxDB", 2),
    sooner("VictoriaMetrics", 1),
    sooner("QuestDB", 0.5),
    ...figures.lists.filter(({ who }) => who === ours).flatMap(listed),
    smaller("bytes a point: one decimal, exact seconds", "", bytes("exact", ours), 1.2, " B"),
    smaller("bytes a point: two decimals, ± 5 ms in µs", "", bytes("jitter", ours), 3, " B"),
    smaller("the first against", "VictoriaMetrics", bytes("exact", ours) / bytes("exact", "VictoriaMetrics"), 1, "×"),
    smaller("the second, times in ms, against", "VictoriaMetrics", bytes("jitter-millis", ours) / bytes("jitter-millis", "VictoriaMetrics"), 1, "×"),
    smaller("median of an ingest, 100 M points stored against 1 M", "", figures.growth.full / figures.growth.few, 1.2, "×"),
    ...figures.subscribers.filter(({ count }) => count === 1_000).flatMap(({ memory, p99 }) => [
      smaller("memory of 1,000 subscribers", "", memory, 100, " MB"),
      smaller("a point until 1,000 have it, 99th percentile", "", p99, 100, " ms"),
    ]),
    smaller("peak memory of the server", "", figures.memory.find(({ service }) => service === ours).peak, 300, " MB"),
  ].filter(({ value }) => Number.isFinite(value));
}

function tables(figures) {
  const names = [...new Set(figures.ingestion.map(({ service }) => service))];
  const of = (name, service) => figures.ingestion.find((figure) => figure.name === name && figure.service === service);
  const shapes = [["gauge_long", "1 series × 10,000"], ["gauge_mixed", "100 × 100"], ["gauge_wide", "1,000 × 1"]];
  const processor = os.cpus()[0]?.model ?? "";
  const { versions, growth } = figures;
  return [
    `${versions.date}, on ${os.cpus().length} cores (${processor}), ${Math.round(os.totalmem() / 2 ** 30)} GiB, ${os.type()} ${os.release()}. ` +
      `PostgreSQL ${versions.postgres}, ${versions.peers.join(", ")}.`,
    table(
      ["what", "against", "measured", "wanted", ""],
      goals(figures).map(({ what, peer, value, bound, ok, unit }) => [what, peer, `${value.toFixed(2)}${unit}`, bound, ok(value) ? "reached" : "**missed**"]),
    ),
    "Ingest, millions of points a second; and µs of CPU a point, with all that the service does until it rests:",
    table(
      ["series × points of a request", ...shapes.map(([, title]) => title), ...shapes.map(([, title]) => `CPU, ${title}`)],
      names.map((service) => [service, ...shapes.map(([name]) => millions(of(name, service)?.rate)), ...shapes.map(([name]) => digits(of(name, service)?.cost, 2))]),
    ),
    "Windows over 2.6 million points of one series: count, least, greatest and mean of 1,000 windows.",
    table(["service", "ms"], figures.windows.map(({ service, ms }) => [service === "`\\copy`" ? "`date_bin` over rows" : service, ms.toFixed(1)])),
    "Lists, with a token and row-level security: requests a second over 8 connections, and µs of CPU that one then takes of the service, of PostgreSQL " +
      "and of what asks; and ms until one is there when they come at a fixed rate.",
    table(
      ["list", "service", "a second", "CPU, service", "CPU, PostgreSQL", "CPU, asking", "fixed rate", "median", "99th percentile"],
      figures.lists.map(({ title, who, pace, rate, service, database, own, p50, p99 }) => [
        title,
        who,
        ...[rate, service, database, own, pace].map((number) => number.toFixed(0)),
        ...[p50, p99].map((ms) => ms.toFixed(1)),
      ]),
    ),
    "Bytes a point at rest, indices included, of 10 million points of 100 series:",
    table(
      ["service", "one decimal, exact seconds", "two decimals, ± 5 ms in µs", "the same, times in ms"],
      [...new Set(figures.sizes.map(({ service }) => service))].map((service) => [
        service,
        ...["exact", "jitter", "jitter-millis"].map((gauge) => digits(figures.sizes.find((figure) => figure.gauge === gauge && figure.service === service)?.bytes, 2)),
      ]),
    ),
    `A request of 10,000 points takes ${growth.few.toFixed(2)} ms (median, 4 connections) with 1 million points stored, and ` +
      `${growth.full.toFixed(2)} ms with ${Math.round(growth.stored / 1e6)} million, whose tables then take ${growth.bytes.toFixed(2)} bytes a point.`,
    "Subscribers of one series over WebSocket, a point a second: how soon they have it, counted from before it is sent.",
    table(
      ["subscribers", "memory of the server for them, MB", "median, ms", "99th percentile, ms"],
      figures.subscribers.map(({ count, memory, p50, p99 }) => [count.toLocaleString("en"), Math.round(memory), p50.toFixed(0), p99.toFixed(0)]),
    ),
    "Most memory that a process held during all of this, MB:",
    table(["service", "MB"], figures.memory.map(({ service, peak }) => [service, Math.round(peak)])),
  ].join("\n\n");
}

export function report(figures, isWritten) {
  const text = tables(figures);
  console.log(`\n${text}\n`);
  if (!isWritten) return;
  const file = path.join(root, "docs/benchmarks.md");
  const page = fs.readFileSync(file, "utf8");
  const [before, after] = [page.indexOf(BEGIN), page.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${file} has no place for the tables: the lines ${BEGIN} and ${END}`);
  fs.writeFileSync(file, `${page.slice(0, before)}${BEGIN}\n\n${text}\n\n${page.slice(after)}`);
}
