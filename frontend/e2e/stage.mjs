// The stage of the end-to-end tests: the built server, the stand-in for GitHub and producers on free ports, their state in a
// temporary directory, and a Chromium that looks at them.
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

export const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const PROD = "mcce-g1-prod";
export const TEST = "mcce-g1-test";
/** What `make demo` applies, and the stage too. */
export const DEMO = readFileSync(join(root, "tools/demo.yaml"), "utf8");
/** The contract. */
export const CONTRACT = readFileSync(join(root, "backend/schema.graphql"), "utf8");

const BROWSERS = [
  process.env.CHROMIUM,
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];
// Nothing that a browser does on its own account: the tests hold that no request leaves the origin.
const FLAGS =
  "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";

/** The path of a built program: the variable's, or that of the profile which `make test` builds. */
export function program(variable, name) {
  if (process.env[variable]) return process.env[variable];
  const metadata = execFileSync("cargo", ["metadata", "--format-version=1", "--no-deps"], { cwd: root, maxBuffer: 1e8 });
  return join(JSON.parse(metadata).target_directory, "e2e", name);
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

/** Resolves with the first truthy result of `look`; fails with `what` when there is none in time. */
export async function until(what, look, seconds = 20) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
    const found = await look();
    if (found) return found;
  }
  assert.fail(`not within ${seconds} s: ${what}`);
}

export class Stage {
  /** A token of each tenant. */
  tokens = {};
  #state = mkdtempSync(join(tmpdir(), "sundial-e2e-"));
  #parts = new Map();
  #settings;
  // What the server alone is given: commands own the database's tables, it does not.
  #serving = {};
  #binary;
  #management;

  /** Starts everything, with further `settings` of the server; without a browser where nobody looks. */
  static async open({ browser = true, settings = {} } = {}) {
    const stage = new Stage();
    try {
      await stage.#start(settings);
      if (browser) await stage.#look();
    } catch (error) {
      await stage.close();
      throw error;
    }
    return stage;
  }

  async #start(settings) {
    const [port, management, github] = await Promise.all([freePort(), freePort(), freePort()]);
    const secret = randomBytes(24).toString("hex");
    this.url = `http://127.0.0.1:${port}`;
    this.github = `http://127.0.0.1:${github}`;
    this.#management = `http://127.0.0.1:${management}`;
    this.#binary = program("SUNDIAL_BIN", "sundial");
    this.#settings = {
      SUNDIAL_LISTEN: `127.0.0.1:${port}`,
      SUNDIAL_MANAGEMENT_LISTEN: `127.0.0.1:${management}`,
      SUNDIAL_PUBLIC_URL: this.url,
      SUNDIAL_DATABASE_URL: `sqlite:${join(this.#state, "sundial.db")}`,
      SUNDIAL_GITHUB_URL: this.github,
      SUNDIAL_GITHUB_API_URL: `${this.github}/api/v3`,
      SUNDIAL_GITHUB_CLIENT_ID: "sundial-e2e",
      SUNDIAL_GITHUB_CLIENT_SECRET: secret,
      ...settings,
    };
    if (process.env.SUNDIAL_TEST_POSTGRES) this.#onPostgres(process.env.SUNDIAL_TEST_POSTGRES);
    const callback = ["--callback-url", `${this.url}/auth/callback`];
    this.#run("github", program("GITHUB_STAND_IN_BIN", "github-stand-in"), [
      ...["--listen", `127.0.0.1:${github}`, "--client-id", "sundial-e2e", "--client-secret", secret, ...callback],
    ]);
    this.apply(DEMO);
    await this.startServer();
    const producer = program("SUNDIAL_PRODUCER_BIN", "sundial-producer");
    for (const tenant of [PROD, TEST]) {
      const token = join(this.#state, `${tenant}.token`);
      this.tokens[tenant] = this.token(tenant);
      writeFileSync(token, this.tokens[tenant], { mode: 0o600 });
      const place = ["--url", this.url, "--tenant", tenant, "--token-file", token, "--spool", join(this.#state, "spool")];
      this.#run(`producer of ${tenant}`, producer, ["run", ...place, "--schedule", "* * * * * *"]);
    }
  }

  async #look() {
    const executablePath = BROWSERS.find((path) => path && existsSync(path));
    assert.ok(executablePath, "no Chromium was found: install one, or name it in CHROMIUM");
    this.browser = await chromium.launch({ executablePath, args: FLAGS.split(" ") });
  }

  // A database of its own on the PostgreSQL that tools/postgres runs, by `psql`, as a deployment has it: one role owns the
  // tables, and the server logs in as another.
  #onPostgres(superuser) {
    const name = `e2e_${randomBytes(4).toString("hex")}`;
    const application = `${name}_application`;
    const roles = [name, application].map((role) => `CREATE ROLE ${role} LOGIN PASSWORD 'e2e' NOSUPERUSER`);
    const statements = [...roles, `CREATE DATABASE ${name} OWNER ${name}`].flatMap((statement) => ["-c", statement]);
    execFileSync("psql", ["-d", superuser, "-XAtq", "-v", "ON_ERROR_STOP=1", ...statements]);
    const as = (role) => Object.assign(new URL(superuser), { username: role, password: "e2e", pathname: name }).href;
    this.#settings.SUNDIAL_DATABASE_URL = as(name);
    this.#serving.SUNDIAL_DATABASE_URL = as(application);
    this.#command("migrate", "up", "--application-role", application);
  }

  /** Makes the tenants and their access rules what a text says. */
  apply(tenants) {
    const path = join(this.#state, "tenants.yaml");
    writeFileSync(path, tenants);
    this.#command("apply", path);
  }

  /** A new token of a tenant. */
  token(tenant, ...limits) {
    return this.#command("token", "create", "--tenant", tenant, "--name", "e2e", ...limits);
  }

  #command(...args) {
    // What it says besides is shown when it fails.
    const options = { encoding: "utf8", stdio: "pipe", env: { ...process.env, ...this.#settings } };
    return execFileSync(this.#binary, args, options).trim();
  }

  #run(name, command, args, settings = {}) {
    const log = openSync(join(this.#state, `${name}.log`), "a");
    const env = { ...process.env, ...this.#settings, ...settings };
    const child = spawn(command, args, { env, stdio: ["ignore", log, log] });
    closeSync(log);
    const ended = new Promise((resolve) => child.once("exit", resolve).once("error", resolve));
    this.#parts.set(name, { child, ended });
  }

  /** What a part has written to its log. */
  log(name) {
    return readFileSync(join(this.#state, `${name}.log`), "utf8");
  }

  async startServer() {
    this.#run("server", this.#binary, ["serve"], this.#serving);
    await until("the server is ready", () => this.ready(), 30).catch((error) => {
      throw new Error(`${error.message}\n${this.log("server")}`);
    });
  }

  /** Whether the server takes requests; fails when it has ended. */
  ready() {
    const { exitCode, signalCode } = this.#parts.get("server").child;
    assert.equal(exitCode ?? signalCode, null, "the server ended");
    return fetch(`${this.#management}/readyz`).then(({ ok }) => ok, () => false);
  }

  /** Has the server end in order. */
  async stopServer() {
    await this.#end("server", "SIGTERM");
  }

  /** Ends the server as a crash would. */
  async killServer() {
    await this.#end("server", "SIGKILL");
  }

  async #end(name, signal) {
    const { child, ended } = this.#parts.get(name);
    child.kill(signal);
    await ended;
    this.#parts.delete(name);
  }

  /** A page of its own browser context. Its `problems` and `foreign` requests grow as they come. */
  async page({ width = 1440, height = 900, theme = "light", userAgent } = {}) {
    const context = await this.browser.newContext({ viewport: { width, height }, colorScheme: theme, userAgent });
    const page = await context.newPage();
    page.problems = [];
    page.foreign = [];
    page.on("console", (message) => message.type() === "error" && page.problems.push(message.text()));
    page.on("pageerror", (error) => page.problems.push(error.message));
    page.on("request", (request) => {
      const { protocol, origin } = new URL(request.url());
      if (origin !== this.url && !["data:", "blob:"].includes(protocol)) page.foreign.push(request.url());
    });
    return page;
  }

  /** Signs in through the stand-in, from the page's own button, and waits for where that leads. */
  async signIn(page, account, path = "/") {
    await page.goto(this.url + path);
    await page.getByRole("link", { name: "Sign in with GitHub" }).click();
    await page.locator(`button[name=login][value=${account}]`).click();
    await page.waitForURL((url) => url.origin === this.url);
    page.foreign.length = 0;
  }

  /** A page on which `account` is signed in. */
  async as(account, path = "/", options = {}) {
    const page = await this.page(options);
    await this.signIn(page, account, path);
    return page;
  }

  async close() {
    await this.browser?.close();
    for (const name of [...this.#parts.keys()].reverse()) await this.#end(name, "SIGTERM");
    rmSync(this.#state, { recursive: true, force: true });
  }
}

/** The figure of the tenant page's read-out under a label. */
export async function figure(page, label) {
  const text = await page.locator(".readout > div").filter({ has: page.locator("dt", { hasText: label }) }).locator("dd").first().textContent();
  return Number(text.replaceAll(",", ""));
}

/** The word that the bar says about the connection. */
export const standing = (page) => page.locator(".bar .live b").textContent();
