// What the checks of the cluster share: kubectl, the API through the gateway, PostgreSQL, and connections as a pod makes
// them. All of it runs inside of the cluster's network namespace.

import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
export const state = process.env.SUNDIAL_CLUSTER || "/var/tmp/sundial-cluster";
export const secrets = JSON.parse(fs.readFileSync(path.join(state, "secrets.json"), "utf8"));
export const authority = fs.readFileSync(path.join(state, "pki/ca.crt"), "utf8");
export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs a program and returns what it prints; with what it says in the error when it fails. */
export async function run(program, args, { input, env } = {}) {
  const options = { cwd: root, env: { ...process.env, ...env }, maxBuffer: 1 << 26 };
  const running = promisify(execFile)(program, args, options);
  // A program that reads nothing may have ended.
  running.child.stdin.once("error", () => {}).end(input ?? "");
  try {
    return (await running).stdout;
  } catch (error) {
    throw new Error(`${program} ${args.join(" ")} failed (${error.code}): ${(error.stderr || error.stdout).trim()}`);
  }
}

const kubeconfig = path.join(state, "pki/admin.kubeconfig");
export const kubectl = (...args) => run("kubectl", ["--kubeconfig", kubeconfig, ...args]);
export const apply = (text) => run("kubectl", ["--kubeconfig", kubeconfig, "apply", "--server-side", "-f", "-"], { input: text });
export const helm = (...args) => run("helm", ["--kubeconfig", kubeconfig, ...args], { env: { HELM_CACHE_HOME: `${state}/helm`, HELM_CONFIG_HOME: `${state}/helm`, HELM_DATA_HOME: `${state}/helm` } });
/** What `kubectl get` finds; an empty list where there is none. */
export const get = async (...args) => {
  const found = JSON.parse((await kubectl("get", ...args, "--ignore-not-found", "-o", "json")) || '{"items":[]}');
  return found;
};

/** Asks again until the answer is one; returns it and the seconds that it took. */
export async function until(seconds, what, ask) {
  const begun = Date.now();
  let last;
  for (;;) {
    try {
      const answer = await ask();
      if (answer) return { answer, seconds: (Date.now() - begun) / 1000 };
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (Date.now() - begun > seconds * 1000) {
      throw new Error(`${what}: not within ${seconds} s${last ? ` (${last.message})` : ""}`);
    }
    await sleep(300);
  }
}

/** The rows of a statement, each an array of texts. Row-level security does not hold for the superuser. */
export function sql(statement, database = "sundial") {
  const url = secrets.superuser.replace(/\/[^/]*$/, `/${database}`);
  const printed = execFileSync("psql", [url, "--no-psqlrc", "--tuples-only", "--no-align", "-v", "ON_ERROR_STOP=1", "-c", statement], { encoding: "utf8" });
  return printed.trim().split("\n").filter(Boolean).map((line) => line.split("|"));
}

let gateway;
const agents = { keep: new https.Agent({ keepAlive: true, maxSockets: 8 }), fresh: new https.Agent() };

/** Asks by HTTPS: hosts of Sundial's are the gateway's, which is asked of the cluster once. */
export async function ask(url, { method = "GET", headers = {}, body, timeout = 10_000 } = {}) {
  gateway ??= (await get("service", "-n", "nginx-gateway", "check-gateway")).spec.clusterIP;
  const lookup = (host, options, done) => {
    const address = host === "github.example.org" ? "198.51.100.20" : gateway;
    return options.all ? done(null, [{ address, family: 4 }]) : done(null, address, 4);
  };
  return new Promise((resolve, reject) => {
    const request = https.request(url, { method, headers, ca: authority, lookup, agent: agents.keep, timeout }, (answer) => {
      const parts = [];
      answer.on("data", (part) => parts.push(part));
      answer.once("error", reject);
      answer.once("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text: Buffer.concat(parts).toString() }));
    });
    request.once("timeout", () => request.destroy(new Error("no answer in time")));
    request.once("error", reject);
    request.end(body);
  });
}

/** Signs in at a host through GitHub's stand-in, as a browser does; returns the headers of who is signed in. */
export async function signIn(host, account) {
  const follow = async (url, options) => {
    const { status, headers, text } = await ask(url, options);
    assert.ok([302, 303].includes(status), `the sign-in goes on: ${status} of ${url}: ${text.slice(0, 200)}`);
    return { to: new URL(headers.location, url), cookies: (headers["set-cookie"] ?? []).map((cookie) => cookie.split(";")[0]) };
  };
  const begun = await follow(`https://${host}/auth/login`);
  assert.equal(begun.to.host, "github.example.org");
  const body = new URLSearchParams([...begun.to.searchParams, ["login", account]]).toString();
  const form = { "content-type": "application/x-www-form-urlencoded", "content-length": body.length };
  const agreed = await follow(`https://github.example.org/login/oauth/authorize`, { method: "POST", headers: form, body });
  const { to, cookies } = await follow(agreed.to, { headers: { cookie: begun.cookies.join("; ") } });
  assert.equal(to.pathname, "/", `signed in at ${host}: ${to}`);
  return { cookie: cookies.filter((cookie) => !cookie.endsWith("=")).join("; "), origin: `https://${host}` };
}

/** Asks the API at a host; returns the data, and throws what is wrong. */
export async function graphql(host, headers, query, variables = {}) {
  const body = JSON.stringify({ query, variables });
  const answer = await ask(`https://${host}/graphql`, { method: "POST", headers: { "content-type": "application/json", ...headers }, body });
  let said;
  try {
    said = JSON.parse(answer.text);
  } catch {
    throw new Error(`${host}/graphql: ${answer.status} ${answer.text.slice(0, 200)}`);
  }
  if (said.errors) throw new Error(`${host}/graphql: ${said.errors.map((error) => error.message).join("; ")}`);
  return said.data;
}

/** Each pod's network namespace, by the pod's address. */
function podNamespaces() {
  const found = new Map();
  for (const name of fs.readdirSync("/run/netns").filter((name) => name.startsWith("cni-"))) {
    const file = path.join("/run/netns", name);
    const printed = execFileSync("nsenter", [`--net=${file}`, "ip", "-4", "-oneline", "address", "show", "dev", "eth0"], { encoding: "utf8" });
    const address = /inet ([0-9.]+)/.exec(printed)?.[1];
    if (address) found.set(address, file);
  }
  return found;
}

/** Tries to connect from a pod's network namespace, which is where its policies hold; returns those that could be. */
export async function connections(podAddress, targets) {
  const file = podNamespaces().get(podAddress);
  assert.ok(file, `the network namespace of ${podAddress}`);
  const printed = await run("nsenter", [`--net=${file}`, process.execPath, fileURLToPath(import.meta.url), "connect", ...targets]);
  return JSON.parse(printed);
}

if (process.argv[2] === "connect") {
  // Twice, for a packet may be lost where it is dropped as well.
  const opens = (target, attempt = 0) => new Promise((resolve) => {
    const [host, port] = target.split(":");
    const socket = net.connect({ host, port: Number(port), timeout: 1500 });
    const told = (open) => {
      socket.destroy();
      resolve(open || attempt > 0 ? open : opens(target, attempt + 1));
    };
    socket.once("connect", () => told(true)).once("timeout", () => told(false)).once("error", () => told(false));
  });
  const targets = process.argv.slice(3);
  process.stdout.write(JSON.stringify(await Promise.all(targets.map((target) => opens(target)))));
}
