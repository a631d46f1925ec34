// One release by Helm alone, for all tenants, without Argo CD.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { apply, ask, authority, get, graphql, helm, kubectl, run, secrets, signIn, sql, state, until } from "./lib.mjs";
import { Load } from "./load.mjs";

const NAMESPACE = "plain";
const HOST = "plain.sundial.example.org";
const url = (role, password) => `postgres://${role}:${password}@database.example.org/plain?sslmode=verify-full&sslrootcert=`;

const secret = (name, stringData) => ({ apiVersion: "v1", kind: "Secret", metadata: { name, namespace: NAMESPACE }, stringData });

const image = (name) => ({ repository: `localhost/sundial-${name}`, tag: "check" });
const values = {
  host: HOST,
  images: { backend: image("backend"), frontend: image("frontend"), producer: image("producer") },
  database: { addresses: ["192.0.2.10/32"] },
  github: { clientId: "sundial-check", url: "https://github.example.org", apiUrl: "https://github.example.org/api/v3", addresses: ["198.51.100.20/32"] },
};

/** Runs Sundial's command line as the owner of the database. */
const sundial = (...args) => run(path.join(process.env.BIN, "sundial"), args, { env: { SUNDIAL_DATABASE_URL: `${url("sundial_owner", secrets.owner)}${state}/pki/ca.crt`.replace("database.example.org", "192.0.2.10") } });

export async function install() {
  await apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE, labels: { "pod-security.kubernetes.io/enforce": "restricted" } } },
    secret("sundial-owner", { "database-url": `${url("sundial_owner", secrets.owner)}/etc/sundial/secret/database-ca.crt`, "database-ca.crt": authority }),
    secret("sundial-backend", { "database-url": `${url("sundial_app", secrets.application)}/etc/sundial/secret/database-ca.crt`, "database-ca.crt": authority, "github-client-secret": secrets.clientSecret }),
  ] }));
  fs.writeFileSync(path.join(state, "plain.json"), JSON.stringify(values));
  const begun = Date.now();
  await helm("install", "sundial", "chart", "--namespace", NAMESPACE, "--values", path.join(state, "plain.json"), "--wait", "--timeout", "3m");
  const installed = (Date.now() - begun) / 1000;
  const file = path.join(state, "plain.yaml");
  fs.writeFileSync(file, "tenants:\n  - { slug: plain, name: Plain, group: plain, environment: TEST, access: [{ organization: mcce, team: g1-admins, role: ADMIN }] }\n");
  await sundial("apply", file);
  const person = await until(30, "the sign-in", () => signIn(HOST, "admin"));
  const { tenants } = await graphql(HOST, person.answer, "{ tenants { nodes { slug role } } }");
  assert.deepEqual(tenants.nodes, [{ slug: "plain", role: "ADMIN" }]);
  return `helm install: migrated, ${(await get("pods", "-n", NAMESPACE, "--field-selector", "status.phase=Running")).items.length} pods ready after ${installed.toFixed(0)} s; an administrator signed in and sees the tenant`;
}

export async function test() {
  const said = await helm("test", "sundial", "--namespace", NAMESPACE, "--timeout", "2m");
  const phases = [...said.matchAll(/^TEST SUITE:\s+(.*)$[^]*?^Phase:\s+(.*)$/gm)].filter(([, name]) => name.includes("test-"));
  assert.ok(phases.length > 0 && phases.every(([, , phase]) => phase === "Succeeded"), said);
  return `helm test: ${phases.map(([, name, phase]) => `${name} ${phase}`).join(", ")}`;
}

const notice = async () => JSON.parse((await ask(`https://${HOST}/config.json`)).text).notice;

export async function upgrade() {
  const runs = async () => Number(sql("SELECT count(*) FROM seaql_migrations", "plain")[0][0]);
  const before = await runs();
  await helm("upgrade", "sundial", "chart", "--namespace", NAMESPACE, "--values", path.join(state, "plain.json"), "--set", "frontend.notice=Checked", "--wait", "--timeout", "3m");
  await until(30, "the notice", async () => (await notice()) === "Checked");
  assert.equal(await runs(), before, "the migration had nothing to do");
  await helm("rollback", "sundial", "1", "--namespace", NAMESPACE, "--wait", "--timeout", "3m");
  await until(30, "the notice's end", async () => (await notice()) === "");
  const history = JSON.parse(await helm("history", "sundial", "--namespace", NAMESPACE, "--output", "json"));
  assert.equal(history.at(-1).status, "deployed");
  return `helm upgrade and rollback: the page's notice came and went, ${history.length} revisions, the last deployed`;
}

/** Load brings more servers. */
export async function scale() {
  const settings = ["enabled=true", "minReplicas=2", "maxReplicas=3", "targetCpuPercent=10"].map((setting) => `backend.autoscaling.${setting}`);
  await helm("upgrade", "sundial", "chart", "--namespace", NAMESPACE, "--values", path.join(state, "plain.json"), "--set", `${settings.join(",")},backend.limits.operationsPerPrincipal=0`, "--wait", "--timeout", "3m");
  const load = new Load({ host: HOST, tenant: "plain", token: (await sundial("token", "create", "--tenant", "plain", "--name", "check")).trim(), series: "check.load" });
  try {
    const { answer, seconds } = await until(180, "more servers", async () => {
      const [{ status }] = (await get("hpa", "-n", NAMESPACE)).items;
      const { status: servers } = await get("deployment", "-n", NAMESPACE, "sundial-backend");
      return servers.readyReplicas === 3 && status;
    });
    assert.deepEqual(load.failures, []);
    return `HorizontalPodAutoscaler: ${answer.currentMetrics[0].resource.current.averageUtilization} % of the processor time that they request, where 10 % are wished for, made three servers of two after ${seconds.toFixed(0)} s`;
  } finally {
    await load.stop();
  }
}

/** Evicts all but one pod of the servers; the budget refuses the last. */
export async function budget() {
  const evict = async (name) => {
    const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace: NAMESPACE } };
    const file = path.join(state, "eviction.json");
    fs.writeFileSync(file, JSON.stringify(eviction));
    return kubectl("create", "--raw", `/api/v1/namespaces/${NAMESPACE}/pods/${name}/eviction`, "-f", file).then(() => "evicted", (error) => (/disruption budget/.test(error.message) ? "refused" : error.message));
  };
  const { items } = await get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=backend", "--field-selector", "status.phase=Running");
  const answers = [];
  const staying = items.filter(({ metadata }) => !metadata.deletionTimestamp);
  for (const { metadata } of staying) answers.push(await evict(metadata.name));
  assert.deepEqual(answers, ["evicted", "refused"], "one of two servers may be evicted");
  await kubectl("rollout", "status", "deployment/sundial-backend", "-n", NAMESPACE, "--timeout=60s");
  return "PodDisruptionBudget: of two servers one was evicted, and the other kept";
}

export async function uninstall() {
  await helm("uninstall", "sundial", "--namespace", NAMESPACE, "--wait", "--timeout", "2m");
  const { items } = await get("all", "-n", NAMESPACE);
  // Pods go on for a while: those of servers drain, and that of the migration stays with its Job, which Helm leaves.
  const left = items.filter(({ kind }) => kind !== "Pod").map(({ kind, metadata }) => `${kind}/${metadata.name}`);
  assert.deepEqual(left, ["Job/sundial-migration"]);
  await kubectl("delete", "namespace", NAMESPACE, "--wait=false");
  return "helm uninstall: left nothing but the migration's Job, as a hook's";
}
