// The deployment as Argo CD makes it of a Git repository: core, two tenants, one more, and one fewer.

import assert from "node:assert/strict";
import { apply, authority, get, graphql, kubectl, secrets, signIn, sleep, sql, until } from "./lib.mjs";
import { Load } from "./load.mjs";
import * as repository from "./repository.mjs";

const PROD = "mcce-g1-prod";
const TEST = "mcce-g1-test";
const NEW = "mcce-g2-test";
const hostOf = (tenant) => `${tenant}.sundial.example.org`;

const applications = async () => (await get("applications", "-n", "argocd")).items;
const stateOf = ({ status }) => `${status?.sync?.status ?? "?"}/${status?.health?.status ?? "?"}`;
const settled = (list) => list.every((application) => stateOf(application) === "Synced/Healthy");
const words = (list) => list.map((application) => `${application.metadata.name} ${stateOf(application)}`).join(", ");

/** What an Application says went wrong, for the message of a check that waits in vain. */
async function complaints() {
  const list = await applications();
  const said = list.flatMap(({ metadata, status }) => [
    ...(status?.conditions ?? []).map(({ message }) => `${metadata.name}: ${message}`),
    ...(["Failed", "Error", "Running"].includes(status?.operationState?.phase) ? [`${metadata.name}: ${status.operationState.phase}: ${status.operationState.message}`] : []),
  ]);
  return `${words(list)}\n${said.join("\n")}`;
}

async function untilSettled(seconds, ready) {
  try {
    return await until(seconds, "Argo CD", async () => {
      const list = await applications();
      return ready(list.map(({ metadata }) => metadata.name)) && settled(list) && list;
    });
  } catch (error) {
    throw new Error(`${error.message}: ${await complaints()}`);
  }
}

/** Applies the root application, and waits until all that it makes is there. */
export async function sync() {
  const owner = `postgres://sundial_owner:${secrets.owner}@database.example.org/sundial?sslmode=verify-full&sslrootcert=/etc/sundial/secret/database-ca.crt`;
  await apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: [
    { apiVersion: "v1", kind: "Namespace", metadata: { name: "sundial-system" } },
    { apiVersion: "v1", kind: "Secret", metadata: { name: "sundial-owner", namespace: "sundial-system" }, stringData: {
      "database-url": owner, "database-ca.crt": authority, "onboarding-key": secrets.onboarding, "github-client-secret": secrets.clientSecret, "github-webhook-secret": secrets.webhook } },
  ] }));
  await apply(repository.read("infra/bootstrap/root.yaml"));
  const { answer, seconds } = await untilSettled(420, (names) => [PROD, TEST].every((name) => names.includes(name) && names.includes(`${name}-base`)));
  return `Argo CD: ${answer.length} applications Synced and Healthy after ${seconds.toFixed(0)} s: ${answer.map(({ metadata }) => metadata.name).join(", ")}`;
}

/** That migrations ran once, and before anything that needs them. */
export async function migration() {
  const { status } = await get("job", "-n", "sundial-system", "sundial-migration");
  assert.equal(status.succeeded, 1);
  assert.equal(status.failed ?? 0, 0);
  const pods = (await get("pods", "-A", "-l", "app.kubernetes.io/component=backend")).items.filter(({ metadata }) => [PROD, TEST].includes(metadata.namespace));
  const first = pods.map(({ status: { containerStatuses } }) => containerStatuses[0].state.running.startedAt).sort()[0];
  assert.ok(status.completionTime <= first, `the migration ended at ${status.completionTime}, a server began at ${first}`);
  const restarts = pods.map(({ status: { containerStatuses } }) => containerStatuses[0].restartCount);
  assert.ok(restarts.every((count) => count === 0), `servers began again: ${restarts}`);
  // Core first: the tenants' Applications are made once the migration's is healthy.
  const tenants = (await applications()).filter(({ metadata }) => [PROD, TEST].includes(metadata.name)).map(({ metadata }) => metadata.creationTimestamp);
  assert.ok(tenants.every((time) => time >= status.completionTime), `the migration ended at ${status.completionTime}, tenants came at ${tenants}`);
  const [[applied]] = sql("SELECT count(*) FROM seaql_migrations");
  return `core first: the migration ran once (${applied} changes), before the tenants came, and ended ${((Date.parse(first) - Date.parse(status.completionTime)) / 1000).toFixed(0)} s before the first of ${pods.length} servers began; none began twice`;
}

/** That all pods are held to `restricted`, and that one that asks for more is refused. */
export async function restricted() {
  const namespaces = (await get("namespaces")).items.filter(({ metadata }) => metadata.labels["pod-security.kubernetes.io/enforce"] === "restricted").map(({ metadata }) => metadata.name);
  for (const name of [PROD, TEST, "sundial-system"]) assert.ok(namespaces.includes(name), `${name} is restricted`);
  for (const name of [PROD, TEST]) {
    const refused = await kubectl("run", "check-root", "-n", name, "--image=localhost/pause:1").then(() => "", (error) => error.message);
    assert.match(refused, /violates PodSecurity "restricted/);
  }
  return `pod security: restricted is enforced in ${namespaces.join(", ")}; a plain pod is refused`;
}

/** That a person sees a tenant's points that its CronJob has sent. */
export async function points() {
  const person = (await until(60, "the sign-in", () => signIn(hostOf(PROD), "admin"))).answer;
  const query = "query ($slug: String!) { viewer { login } tenant(slug: $slug) { series(first: 10) { nodes { key latest { time value } } } } }";
  // Its schedule has it run each five minutes; as much again for a run that failed.
  const { answer } = await until(660, "points of the CronJob", async () => {
    const { tenant } = await graphql(hostOf(PROD), person, query, { slug: PROD });
    const nodes = tenant.series.nodes.filter(({ latest }) => latest);
    return nodes.length > 0 && nodes;
  });
  const { status, spec } = await get("cronjob", "-n", PROD, "sundial-producer");
  assert.ok(status.lastScheduleTime, "the CronJob fired by itself");
  const other = await graphql(hostOf(PROD), person, query, { slug: TEST });
  assert.equal(other.tenant, null, "through prod's host nobody sees test");
  return `CronJob: fired by itself at ${status.lastScheduleTime} (${spec.schedule}); admin, signed in at https://${hostOf(PROD)}, reads ${answer.map(({ key, latest }) => `${key} = ${latest.value} (${latest.time})`).join(", ")}; test is not open there`;
}

/** One file more in Git: one tenant more. */
export async function onboard() {
  const before = new Set((await applications()).map(({ metadata }) => metadata.name));
  const file = (slug) => `slug: ${slug}
name: MCCE group 2, test
group: mcce-g2
environment: TEST
host: ${hostOf(slug)}
access:
  - { organization: mcce, team: g1-admins, role: ADMIN }
producer: { schedule: "* * * * *" }
`;
  repository.write(`infra/applications/tenants/${NEW}.yaml`, file(NEW));
  // Which stands where nobody checks it, and must be nobody's.
  repository.write("infra/applications/tenants/deeper/mcce-g3-test.yaml", file("mcce-g3-test"));
  await repository.commit(`One tenant more: ${NEW}`);
  const begun = Date.now();
  const took = () => (Date.now() - begun) / 1000;
  const query = "query ($slug: String!) { tenant(slug: $slug) { role series(first: 1) { nodes { latest { time value } } } } }";
  let person;
  try {
    person = (await until(180, `https://${hostOf(NEW)}`, () => signIn(hostOf(NEW), "admin"))).answer;
  } catch (error) {
    throw new Error(`${error.message}: ${await complaints()}`);
  }
  const { tenant } = await graphql(hostOf(NEW), person, query, { slug: NEW });
  assert.equal(tenant.role, "ADMIN");
  const serving = took();
  assert.ok(serving <= 120, `serving after ${serving} s`);
  await until(150, "points of the new tenant", async () => (await graphql(hostOf(NEW), person, query, { slug: NEW })).tenant.series.nodes[0]?.latest);
  const added = (await applications()).map(({ metadata }) => metadata.name).filter((name) => !before.has(name));
  assert.deepEqual(added.sort(), [NEW, `${NEW}-base`]);
  return `one file committed: ${NEW} signs people in after ${serving.toFixed(0)} s, and has points after ${took().toFixed(0)} s; ${added.length} applications more, and none by a file in a folder of tenants/`;
}

/** One file fewer: the workload is gone, and the data is not. */
export async function remove() {
  const count = () => sql(`SELECT t.slug, count(*) FROM tenant t JOIN series s ON s.tenant_id = t.id WHERE t.slug = '${NEW}' GROUP BY t.slug`);
  const before = count();
  assert.equal(before.length, 1);
  repository.remove(`infra/applications/tenants/${NEW}.yaml`);
  await repository.commit(`One tenant fewer: ${NEW}`);
  const { seconds } = await until(180, "the removal", async () => {
    const left = (await applications()).filter(({ metadata }) => metadata.name.startsWith(NEW));
    const { items } = await get("namespaces");
    return left.length === 0 && !items.some(({ metadata }) => metadata.name === NEW);
  });
  const system = (await kubectl("get", "jobs,cronjobs,pods,configmaps,serviceaccounts", "-n", "sundial-system", "-o", "name")).split("\n").filter((name) => name.includes(NEW));
  assert.deepEqual(system, [], "nothing of the tenant is left in sundial-system");
  assert.deepEqual(count(), before, "its data is as it was");
  return `the file removed: ${NEW}'s applications and namespace are gone after ${seconds.toFixed(0)} s; its ${before[0][1]} series are still in the database`;
}

const token = async (person) => (await graphql(hostOf(PROD), person, 'mutation ($tenant: String!) { createToken(tenant: $tenant, name: "check") { secret } }', { tenant: PROD })).createToken.secret;

async function rolled(image) {
  await until(180, `the servers of ${image}`, async () => {
    const { spec, status, metadata } = await get("deployment", "-n", PROD, "sundial-backend");
    const done = status.observedGeneration === metadata.generation && status.updatedReplicas === status.replicas && status.availableReplicas === status.replicas;
    return done && spec.template.spec.containers[0].image === image;
  });
  // The last of the old ones goes on serving for a while.
  await until(90, "the end of the old servers", async () => (await get("pods", "-n", PROD, "-l", "app.kubernetes.io/component=backend")).items.length === (await get("deployment", "-n", PROD, "sundial-backend")).spec.replicas);
}

/** New images, and back to the old ones, by commits, while people and producers go on. */
export async function rolling() {
  const person = await signIn(hostOf(PROD), "admin");
  const load = new Load({ host: hostOf(PROD), tenant: PROD, token: await token(person), series: "check.rolling" });
  const begun = Date.now();
  try {
    await sleep(3000);
    repository.environment("prod", "check-next");
    await repository.commit("Promote to prod");
    await rolled("localhost/sundial-backend:check-next");
    await repository.revert();
    await rolled("localhost/sundial-backend:check");
    await sleep(2000);
  } finally {
    await load.stop();
  }
  const { asked, failures, acknowledged } = load;
  assert.deepEqual(failures, [], `${failures.length} of ${asked} requests failed`);
  const lost = await load.lost();
  assert.equal(lost.length, 0);
  return `rolling update and rollback by two commits, ${((Date.now() - begun) / 1000).toFixed(0)} s under load: ${asked} requests, 0 failed; ${acknowledged.size} points acknowledged, 0 lost`;
}

/** A server that is killed while it writes. */
export async function killed() {
  const person = await signIn(hostOf(PROD), "admin");
  const load = new Load({ host: hostOf(PROD), tenant: PROD, token: await token(person), series: "check.killed" });
  try {
    await sleep(3000);
    const [victim] = (await get("pods", "-n", PROD, "-l", "app.kubernetes.io/component=backend", "--field-selector", "status.phase=Running")).items;
    await kubectl("delete", "pod", "-n", PROD, victim.metadata.name, "--grace-period=0", "--force");
    await sleep(3000);
    await kubectl("rollout", "status", "deployment/sundial-backend", "-n", PROD, "--timeout=90s");
    await sleep(2000);
  } finally {
    await load.stop();
  }
  const { asked, failures, acknowledged } = load;
  const lost = await load.lost();
  assert.equal(lost.length, 0, `${lost.length} acknowledged points are lost`);
  return `a server killed at once: ${acknowledged.size} points acknowledged, 0 lost; ${failures.length} of ${asked} requests failed, which were not acknowledged`;
}

/** What Argo CD takes back when somebody changes it by hand. */
export async function healed() {
  await kubectl("scale", "deployment/sundial-frontend", "-n", PROD, "--replicas=0");
  const { seconds } = await until(60, "the change to be taken back", async () => (await get("deployment", "-n", PROD, "sundial-frontend")).spec.replicas > 0);
  await kubectl("rollout", "status", "deployment/sundial-frontend", "-n", PROD, "--timeout=60s");
  return `a change by hand was taken back after ${seconds.toFixed(1)} s`;
}
