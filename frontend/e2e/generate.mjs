// Random requests, drawn from the API's contract. Each is a function of the seed, of its number, and of what the replies
// before it have told.
import { brotliCompressSync, gzipSync } from "node:zlib";
import * as graphql from "graphql";

const { getNamedType, getNullableType, isEnumType, isInputObjectType, isLeafType, isListType, isNonNullType } = graphql;

/** Chance that is the same for the same seed and number (mulberry32). */
class Dice {
  #state;
  constructor(seed, number) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b);
  }
  #next() {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  below = (most) => Math.floor(this.#next() * most);
  chance = (share) => this.#next() < share;
  pick = (list) => list[this.below(list.length)];
  some = (least, most, one) => Array.from({ length: least + this.below(most - least + 1) }, one);
}

// What hardly any place expects, as it stands in JSON. Nothing here looks like what a reply must not tell.
const ODD = [
  ...["null", "true", "-0", "0", "-1", "0.1", "1e308", "1e309", "NaN", "-", "[]", "{}", "[[]]", "[null]", "$none", "PROD"],
  ...["2147483648", "-2147483649", "9007199254740993", "9223372036854775807", "-9223372036854775808"],
  ...['""', '" "', '"NaN"', '"-0"', '"*"', '"**"', '"{}"', '"a{b=}"', '"clock.*{"', `"' OR 1=1 --"`, '"%00"', '"../.."'],
  ...['"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202eabc"', '"🕰️"', '"é\\u0301ﬀ"'],
  ...['"0001-01-01T00:00:00Z"', '"9999-12-31T23:59:59.999999Z"', '"2026-02-30T00:00:00Z"', '"2026-11-24T24:00:00-23:59"'],
  ...['"0s"', '"-1s"', '"1ns"', '"9223372036854775807mo"', '"0.5h"', '"Etc/GMT+99"', '"/etc"'],
  (dice) => `"${dice.pick(["a", "*", "é", "\\u0000", "a.", "{"]).repeat(10 ** (1 + dice.below(5)))}"`,
  (dice) => ["[", "]"].map((bracket) => bracket.repeat(2 ** dice.below(9))).join("1"),
  (dice) => `[${dice.pick(["1", '"a"', "null", "{}"])}${",1".repeat(10 ** dice.below(5))}]`,
  (dice) => `${'{"a":'.repeat(2 ** dice.below(8))}1${"}".repeat(2 ** dice.below(8))}`,
];
const TOKENS = ["{", "}", "(", ")", "!", "...", "@", "@skip(if: 1)", "$", '"', '"""', "#", "1e999", " on ", "\0", "\ud800"];

const MINUTES = 60e6;
const KEYS = ["clock.offset_seconds", 'clock.lag_seconds{producer="clock"}', 'room.temperature{floor="2"}', "a.b"];
const micros = (dice) => (dice.chance(0.9) ? Date.now() * 1_000 - dice.below(120) * MINUTES : dice.below(7e9) * 1e6);
const written = (at, dice) => (dice.chance(0.5) ? at : new Date(at / 1_000).toISOString());
const pattern = (dice, { marks }) => dice.pick(["*", "clock.*", "room.*", ...KEYS, ...marks.map((mark) => `${mark}*`)]);
const token = (dice, { known }) => known(dice.pick(["tokens.id", "token.id"]));

const producer = (dice) => dice.pick(["clock", "room"]);

// What is likely to be taken, by the place's name or type.
const LIKELY = {
  tenant: (dice, { tenants }) => dice.pick(tenants),
  slug: (dice, { tenants }) => dice.pick(tenants),
  series: (dice, { known }) => dice.pick([known("key"), ...KEYS]),
  match: pattern,
  "deletePoints.series": pattern,
  "createToken.series": pattern,
  "pointsAdded.series": pattern,
  id: (dice, { known }) => known(dice.pick(["tenant.id", "nodes.id", "node.id", "tokens.id", "sessions.id"])),
  ids: (dice, context) => LIKELY.id(dice, context),
  "endSession.id": (_, { known }) => known("sessions.id"),
  "rotateToken.id": token,
  "revokeToken.id": token,
  first: (dice) => dice.below(4),
  maxPoints: (dice) => dice.pick([4, 100, 2_000]),
  days: (dice) => dice.pick([1, 400, 36_500]),
  timeZone: (dice) => dice.pick(["UTC", "Europe/Vienna", "America/St_Johns", "Pacific/Apia"]),
  name: (dice) => dice.pick(["clock on web-1", "a", "é".repeat(100)]),
  "setProducer.name": producer,
  producer,
  producers: producer,
  // Often enough that one that is late can be waited for.
  schedule: (dice) => dice.pick(["* * * * * *", "*/5 * * * *", "0 0 1 1 *"]),
  grace: (dice) => dice.pick(["1s", "1m"]),
  "deleteProducer.id": (_, { known }) => known("setProducer.id"),
  actor: (dice) => dice.pick(["admin", "operator", "nobody"]),
  idempotencyKey: (dice) => `key ${dice.below(50)}`,
  // Nobody who asks here is to gain a role, and seldom to lose one.
  organization: (dice) => dice.pick(["acme", "initech", "globex"]),
  force: (dice) => dice.chance(0.1),
  expiresAt: (dice) => written((Date.now() + 1e7 * (1 + dice.below(9_999))) * 1_000, dice),
  Timestamp: (dice) => written(micros(dice), dice),
  Duration: (dice) => dice.pick(["500ms", "1s", "30s", "5m", "1h", "1d", "1w", "1mo"]),
  Int: (dice) => dice.below(100),
  Float: (dice) => dice.pick([0, -1.5, 20.25, dice.below(1e6) / 7, 1e300]),
  Boolean: (dice) => dice.chance(0.5),
  String: (dice) => dice.pick(["a", "clock"]),
};
// Fields that suit each other.
const FIT = {
  TimeRange: (dice) => {
    const from = micros(dice);
    return { from: written(dice.chance(0.1) ? 0 : from, dice), to: written(from + (1 + dice.below(180)) * MINUTES, dice) };
  },
  SeriesBatch: (dice) => {
    const times = dice.some(1, 5, () => written(micros(dice), dice));
    return { times, values: times.map(() => LIKELY.Float(dice)) };
  },
};
// These end what others need, or have GitHub asked, which some thousand times an hour is too often for.
const SELDOM = { explainAccess: 0.2, endSession: 0.5, endSessions: 0.2, revokeToken: 0.5, createToken: 0.1, rotateToken: 0.1, deleteProducer: 0.3 };
const OFTEN = ["first", "days"];

const object = (fields, json) => `{${Object.entries(fields).map(([name, text]) => `${json ? `"${name}"` : name}: ${text}`)}}`;

/** One operation while it is drawn. */
class Drawing {
  fragments = [];
  variables = {};
  #names = 0;
  constructor(schema, context, dice, odd) {
    Object.assign(this, { schema, context, dice, odd });
  }

  operation(kind, wanted) {
    const { dice } = this;
    const type = this.schema.getRootType(kind);
    const fields = Object.values(type.getFields());
    const one = () => {
      const field = fields.find(({ name }) => name === wanted) ?? dice.pick(fields);
      if (!wanted && !dice.chance(SELDOM[field.name] ?? 1)) return one();
      const alias = `${field.name}_${(this.#names += 1)}`;
      return { field: `${type.name}.${field.name}`, alias, text: this.#field(field, 1 + dice.below(7), alias) };
    };
    // A subscription has one field, and nothing around it.
    const single = kind === "subscription";
    const roots = dice.some(1, single || dice.chance(0.6) ? 1 : 3, one);
    const parts = roots.map(({ text }) => (single ? text : this.#dressed(text, type)));
    if (!single && dice.chance(0.1)) parts.push("__typename");
    const declared = Object.entries(this.variables).map(([name, variable]) => `$${name}: ${variable.type}`);
    const name = dice.chance(0.5) ? "Asked" : undefined;
    const head = `${kind} ${name ?? ""}${declared.length ? `(${declared})` : ""}`;
    const texts = [`${head === "query " ? "" : head}{ ${parts.join(" ")} }`, ...this.fragments];
    const others = name && dice.chance(0.1);
    if (others) texts.push("query Other { serverTime }");
    const document = (dice.chance(0.5) ? texts : texts.reverse()).join("\n");
    const values = Object.entries(this.variables).map(([name, { text }]) => [name, text]);
    const operationName = others || dice.chance(0.5) ? name : undefined;
    return { kind, roots, document, variables: object(Object.fromEntries(values), true), operationName };
  }

  #selection(type, depth) {
    const { dice } = this;
    const fields = Object.values(type.getFields()).filter((field) => depth > 0 || isLeafType(getNamedType(field.type)));
    const chosen = fields.length ? dice.some(1, 4, () => dice.pick(fields)) : [];
    const parts = chosen.map((field) => this.#dressed(this.#field(field, depth - 1), type));
    const types = graphql.isInterfaceType(type) ? this.schema.getPossibleTypes(type) : [];
    parts.push(...types.map((of) => `... on ${of.name} ${this.#selection(of, depth - 1)}`));
    // Without it nobody could tell which of several types it is.
    if (!parts.length || types.length || dice.chance(0.05)) parts.push("__typename");
    return `{ ${parts.join(" ")} }`;
  }

  #field(field, depth, alias) {
    const { dice } = this;
    // What is asked twice with other arguments does not merge under one name.
    const own = field.args.length || dice.chance(0.1) ? `${field.name}_${(this.#names += 1)}` : "";
    const wanted = ({ name }) => dice.chance(OFTEN.includes(name) ? 0.95 : 0.5);
    const asked = field.args.filter((argument) => graphql.isRequiredArgument(argument) || wanted(argument));
    const given = asked.map(({ name, type }) => `${name}: ${this.#value(type, field.name, name)}`);
    const called = alias ?? own;
    const head = `${called && `${called}: `}${field.name}${given.length ? `(${given.join(", ")})` : ""}${this.#directive()}`;
    const type = getNamedType(field.type);
    return isLeafType(type) ? head : `${head} ${this.#selection(type, depth)}`;
  }

  #directive() {
    const { dice } = this;
    if (dice.chance(0.95)) return "";
    const name = dice.pick(["include", "skip"]);
    const condition = String(dice.chance(0.8) === (name === "include"));
    return ` @${name}(if: ${dice.chance(0.5) ? condition : this.#variable("Boolean!", condition)})`;
  }

  /** The same, or a fragment of it. */
  #dressed(text, type) {
    const { dice } = this;
    if (dice.chance(0.9)) return text;
    const body = `{ ${text} }`;
    if (dice.chance(0.5)) return `...${dice.chance(0.5) ? ` on ${type.name}` : ""}${this.#directive()} ${body}`;
    const name = `F${(this.#names += 1)}`;
    this.fragments.push(`fragment ${name} on ${type.name} ${body}`);
    return `...${name}`;
  }

  #variable(type, text) {
    const name = `v${(this.#names += 1)}`;
    this.variables[name] = { type, text };
    return `$${name}`;
  }

  /** A value as text: of a variable, which is JSON, or as it stands in the document. */
  #value(type, field, name, json = false) {
    const { dice } = this;
    if (this.odd && dice.chance(0.12)) {
      const odd = dice.pick(ODD);
      return typeof odd === "string" ? odd : odd(dice);
    }
    if (!json && dice.chance(0.15)) return this.#variable(type, this.#value(type, field, name, true));
    if (!isNonNullType(type) && dice.chance(0.1)) return "null";
    const of = getNullableType(type);
    const word = (text) => (json ? `"${text}"` : text);
    if (isListType(of)) {
      // The last known administrator stays one, or the rest of the run has none.
      const own = object({ organization: '"mcce"', team: '"g1-admins"', role: word("ADMIN") }, json);
      const items = dice.some(1, 3, () => this.#value(of.ofType, field, name, json));
      return `[${name === "rules" ? [own, ...items.slice(1)] : items}]`;
    }
    if (isEnumType(of)) return word(dice.pick(of.getValues()).name);
    if (isInputObjectType(of)) {
      const fit = this.odd && dice.chance(0.3) ? {} : (FIT[of.name]?.(dice) ?? {});
      const fields = Object.values(of.getFields());
      const given = of.isOneOf && !this.odd ? [dice.pick(fields)] : fields.filter((field) => isNonNullType(field.type) || dice.chance(0.3));
      const text = ({ name, type }) => (name in fit ? JSON.stringify(fit[name]) : this.#value(type, of.name, name, json));
      return object(Object.fromEntries(given.map((field) => [field.name, text(field)])), json);
    }
    if (name === "after") return JSON.stringify(this.context.known(`${field}.after`) ?? null);
    const likely = LIKELY[`${field}.${name}`] ?? LIKELY[name] ?? LIKELY[of.name];
    return JSON.stringify(likely(dice, this.context) ?? "none");
  }
}

/** A text with some of it changed, cut, doubled or put in. */
function garbled(text, dice) {
  for (let times = 1 + dice.below(3); times > 0; times -= 1) {
    const [at, length] = [dice.below(text.length + 1), dice.below(8) ** 2];
    const part = text.slice(at, at + length);
    const put = [dice.pick(TOKENS), String.fromCharCode(dice.below(0x250)), "", part.repeat(2), part.repeat(dice.below(200))];
    text = text.slice(0, at) + dice.pick(put) + text.slice(at + (dice.chance(0.5) ? length : 0));
  }
  return text;
}

/** Draws requests, and learns ids, keys and cursors from replies. */
export class Requests {
  #schema;
  #known = {};
  constructor(contract, seed, tenants, marks) {
    this.#schema = graphql.buildSchema(contract);
    Object.assign(this, { seed, tenants, marks });
  }

  /** The fields that an operation can begin with. */
  get roots() {
    const types = ["query", "mutation", "subscription"].map((kind) => this.#schema.getRootType(kind));
    return types.flatMap((type) => Object.keys(type.getFields()).map((field) => `${type.name}.${field}`));
  }

  /** The request of a number. Its `way` is "valid", or says where it is odd; one for a `root` that is given is valid. */
  draw(number, root) {
    const dice = new Dice(this.seed, number);
    // What came last counts longest.
    const known = (name) => dice.pick(this.#known[name]?.slice(-5) ?? [undefined]);
    const [type, wanted] = root?.split(".") ?? [];
    const way = wanted ? "valid" : dice.pick([...Array(5).fill("valid"), "value", "value", "document", "transport"]);
    const kind = type?.toLowerCase() ?? dice.pick([...Array(12).fill("query"), ...Array(6).fill("mutation"), "subscription"]);
    const context = { known, tenants: this.tenants, marks: this.marks };
    const drawn = new Drawing(this.#schema, context, dice, way === "value").operation(kind, wanted);
    if (!wanted && dice.chance(0.01)) {
      Object.assign(drawn, { kind: "query", roots: [], document: graphql.getIntrospectionQuery(), operationName: undefined });
    }
    if (way === "document") drawn.document = garbled(drawn.document, dice);
    return { number, way, dice, ...drawn };
  }

  /** What the reference implementation makes of a request, if its fields are what `data` says. */
  reference({ document, variables, operationName }, data) {
    const fieldResolver = (source, _, __, { path }) => source[path.key];
    const typeResolver = (source) => source.__typename;
    const given = { schema: this.#schema, operationName, rootValue: data, fieldResolver, typeResolver };
    return graphql.executeSync({ ...given, document: graphql.parse(document), variableValues: JSON.parse(variables) });
  }

  /** Keeps what later requests can name. */
  learn(value, path = []) {
    if (value && typeof value === "object") {
      const below = (name) => (Array.isArray(value) ? path : [...path, name.replace(/_\d+$/, "")]);
      for (const [name, part] of Object.entries(value)) this.learn(part, below(name));
    }
    if (typeof value !== "string") return;
    const [around, within, name] = [path.at(-3), path.at(-2), path.at(-1)];
    // A marked series that were written elsewhere would be seen there by right.
    const own = name === "key" && !this.marks.some((mark) => value.includes(mark)) ? "key" : undefined;
    const cursor = name.toLowerCase().endsWith("cursor") ? `${["pointsAdded", "runChanged"].includes(within) ? within : around}.after` : own;
    const place = name === "id" ? `${within}.id` : cursor;
    if (place) this.#known[place] = [...(this.#known[place] ?? []), value].slice(-50);
  }
}

const JSON_TYPE = "application/json";
const RESPONSE_TYPE = "application/graphql-response+json";
export const EVENTS_TYPE = "text/event-stream";
// What hardly any request has as its media types, its body, a field of it, or its proof.
const TYPES = ["", ";;;", "é", "text/plain", `${JSON_TYPE}; charset=utf-16`, `${JSON_TYPE};charset="UTF-8"`];
const ACCEPTED = ["", "text/html", "*/*;q=0", `${JSON_TYPE};q=NaN`, `${EVENTS_TYPE}, */*`, "a/b, ".repeat(1_000)];
const BODIES = ["", " ", "null", "[]", "5", '"a"', "{", "[".repeat(1_000), '{"a":'.repeat(1_000), '{"query":5}'];
const PLACES = ["operationName", "variables", "extensions", "query", "none"];
const FIELDS = ['""', "null", "5", "[]", "{}", '"None"', `"${"a".repeat(1e5)}"`, '{"persistedQuery":{}}', '{"cost":"true"}'];
const PROOFS = ["", "Bearer", "Bearer ", "Basic YTpi", "bearer  sdl_a", `Bearer ${"a".repeat(8_000)}`, "Bearer gho_no"];
const COOKIES = ["sundial=", "sundial=a; sundial=b", "__Host-sundial=a", "a", ";;;=;", "sundial=é"];

/** How a drawn request travels, with the headers of a proof: as clients send it, unless that is what is odd about it. */
export function envelope({ kind, document, variables, operationName, way, dice }, proof) {
  const single = kind === "subscription" && dice.chance(0.9);
  const accept = single ? EVENTS_TYPE : dice.pick([JSON_TYPE, RESPONSE_TYPE, RESPONSE_TYPE, "*/*", EVENTS_TYPE]);
  const fields = { query: JSON.stringify(document), variables };
  if (operationName) fields.operationName = JSON.stringify(operationName);
  if (dice.chance(0.1)) fields.extensions = '{"cost":true}';
  const headers = { accept, "content-type": JSON_TYPE, ...proof };
  const sent = { method: "POST", path: "/graphql", headers, body: object(fields, true) };
  const get = () => {
    const texts = Object.entries(fields).map(([name, json]) => [name, json.startsWith('"') ? JSON.parse(json) : json]);
    Object.assign(sent, { method: "GET", path: `/graphql?${new URLSearchParams(texts)}`, body: undefined });
  };
  if (way === "valid" && kind === "query" && dice.chance(0.1)) get();
  if (way !== "transport") return sent;
  const body = Buffer.from(sent.body);
  const encode = (encoding, bytes) => {
    headers["content-encoding"] = encoding;
    sent.body = bytes;
  };
  const cut = () => dice.below(body.length);
  dice.pick([
    get,
    () => (sent.method = dice.pick(["GET", "PUT", "DELETE", "OPTIONS", "PATCH", "HEAD"])),
    () => (headers["content-type"] = dice.pick(TYPES)),
    () => (headers.accept = dice.pick(ACCEPTED)),
    () => (headers.authorization = dice.pick(PROOFS)),
    () => (headers.cookie = dice.pick(COOKIES)),
    () => (headers.origin = "https://evil.example"),
    () => (sent.body = dice.pick([...BODIES, `[${sent.body}]`, `{"query":"{serverTime}",${sent.body.slice(1)}`])),
    () => (sent.body = object({ ...fields, [dice.pick(PLACES)]: dice.pick(FIELDS) }, true)),
    () => (sent.body = garbled(sent.body, dice)),
    () => (sent.body = Buffer.concat([body.subarray(0, cut()), Buffer.from([dice.below(256)]), body.subarray(cut())])),
    () => (sent.body = " ".repeat(dice.pick([1 << 14, 1 << 20, 9 << 20])) + sent.body),
    () => encode("gzip", gzipSync(body)),
    () => encode("br", brotliCompressSync(body)),
    () => encode("gzip", gzipSync(body).subarray(0, -1 - dice.below(20))),
    () => encode("gzip", gzipSync(Buffer.alloc(9 << 20, " "))),
    () => encode(dice.pick(["gzip", "br", "zstd", "deflate", "gzip, gzip", "identity", "none"]), body),
  ])();
  return sent;
}
