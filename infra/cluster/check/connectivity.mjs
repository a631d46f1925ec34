// Zero trust, by real connections: who reaches whom, tried from each pod's own network namespace, and what each service
// account may do. infra/expected/connectivity.txt holds what is expected.

import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { apply, connections, get, kubectl, root, sleep, state, until } from "./lib.mjs";

const TENANTS = ["mcce-g1-prod", "mcce-g1-test"];
const EXPECTED = path.join(root, "infra/expected/connectivity.txt");

/** Addresses of a component's two pods: the first connects, the other is connected to, for to itself a pod always can. */
const running = async (namespace, component) => {
  const { items } = await get("pods", "-n", namespace, "-l", `app.kubernetes.io/component=${component}`, "--field-selector", "status.phase=Running");
  const pods = items.filter(({ metadata, status }) => !metadata.deletionTimestamp && status.podIP);
  assert.ok(pods.length >= 2, `two running pods of ${namespace}/${component}`);
  return pods.map(({ status }) => status.podIP);
};

/** A pod that does nothing, under the labels of those that come and go. */
const probe = ({ namespace, name, labels }) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels },
  spec: {
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 0,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: "RuntimeDefault" } },
    containers: [{
      name: "probe",
      image: "localhost/pause:1",
      resources: { requests: { cpu: "1m", memory: "4Mi" }, limits: { cpu: "10m", memory: "8Mi" } },
      securityContext: { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ["ALL"] } },
    }],
  },
});

/** Who connects, by name, in the order of the table; and the probes, which the caller removes. */
async function sources() {
  const probes = [];
  const found = [];
  const stand = (name, namespace, short, labels) => {
    probes.push({ namespace, name: `check-${short}`, labels });
    found.push([name, until(60, `the pod ${namespace}/check-${short}`, async () => (await get("pod", "-n", namespace, `check-${short}`)).status?.podIP)]);
  };
  const template = async (kind, namespace, name) => (await get(kind, "-n", namespace, name)).spec;
  for (const tenant of TENANTS) {
    const short = tenant.replace("mcce-g1-", "");
    for (const component of ["frontend", "backend"]) found.push([`${short}/${component}`, { answer: (await running(tenant, component))[0] }]);
    stand(`${short}/producer`, tenant, "producer", (await template("cronjob", tenant, "sundial-producer")).jobTemplate.spec.template.metadata.labels);
    stand(`${short}/stranger`, tenant, "stranger", {});
  }
  stand("migration", "sundial-system", "migration", (await template("job", "sundial-system", "sundial-migration")).template.metadata.labels);
  stand("onboarding", "sundial-system", "onboarding", (await template("cronjob", "sundial-system", `onboard-${TENANTS[0]}`)).jobTemplate.spec.template.metadata.labels);
  stand("system/stranger", "sundial-system", "stranger", {});
  const [gateway] = (await get("pods", "-n", "nginx-gateway", "-l", "app=check-gateway")).items;
  found.push(["gateway", { answer: gateway.status.podIP }]);
  stand("stranger", "default", "stranger", {});
  await apply(JSON.stringify({ apiVersion: "v1", kind: "List", items: probes.map(probe) }));
  return { found: await Promise.all(found.map(async ([name, seen]) => [name, (await seen).answer])), probes };
}

/** What is connected to, by name. */
async function targets() {
  const found = [];
  for (const tenant of TENANTS) {
    const short = tenant.replace("mcce-g1-", "");
    const [, backend] = await running(tenant, "backend");
    const [, frontend] = await running(tenant, "frontend");
    found.push([`${short}/frontend`, `${frontend}:8080`]);
    found.push([`${short}/backend`, `${backend}:8080`], [`${short}/metrics`, `${backend}:8081`]);
  }
  found.push(["database", "192.0.2.10:5432"], ["api-server", "10.96.0.1:443"], ["github", "198.51.100.20:443"]);
  found.push(["outside", "203.0.113.30:443"], ["dns", "10.96.0.10:53"]);
  return found;
}

export async function table() {
  const { found, probes } = await sources();
  // The rules follow pods within half a second.
  await sleep(2000);
  const to = await targets();
  const rows = [["from", ...to.map(([name]) => name)]];
  let tried = 0;
  const opened = await Promise.all(found.map(([, address]) => connections(address, to.map(([, target]) => target))));
  for (const [index, [name]] of found.entries()) {
    tried += opened[index].length;
    rows.push([name, ...opened[index].map((yes) => (yes ? "yes" : "-"))]);
  }
  for (const { namespace, name } of probes) await kubectl("delete", "pod", "-n", namespace, name, "--wait=false");
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const seen = `${rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column])).join("  ").trimEnd()).join("\n")}\n`;
  const file = path.join(state, "connectivity.txt");
  fs.writeFileSync(file, seen);
  const expected = fs.readFileSync(EXPECTED, "utf8").replace(/^#.*\n/gm, "");
  if (seen !== expected) {
    throw new Error(`connections are not those of infra/expected/connectivity.txt (${file} is what was seen):\n${seen}`);
  }
  const allowed = rows.slice(1).flat().filter((cell) => cell === "yes").length;
  return `${tried} connections tried, ${allowed} open and ${tried - allowed} refused, as infra/expected/connectivity.txt says`;
}

// What everybody may who proves who they are: ask what they may.
const OPEN = /^selfsubject(access|rules)?reviews\.(authentication|authorization)\.k8s\.io$/;

async function rules(namespace, account) {
  const printed = await kubectl("auth", "can-i", "--list", "--no-headers", "-n", namespace, `--as=system:serviceaccount:${account}`);
  // Resources, URLs, names and verbs; paths such as /healthz are no resources.
  return printed.trim().split("\n").map((line) => line.replace(/\s+/g, " ").trim()).filter((line) => !line.startsWith("[") && !OPEN.test(line.split(" ")[0]));
}

export async function accounts() {
  const namespaces = [...TENANTS, "sundial-system"];
  let none = 0;
  let onboarding = 0;
  for (const namespace of namespaces) {
    for (const { metadata: { name } } of (await get("serviceaccounts", "-n", namespace)).items) {
      for (const where of namespaces) {
        const may = await rules(where, `${namespace}:${name}`);
        if (name === `onboard-${where}`) {
          const wanted = ["secrets [] [] [create]", "secrets [] [sundial-backend] [get update]", "secrets [] [sundial-producer] [get update]"];
          const one = ["secrets [] [] [create]", "secrets [] [sundial-backend sundial-producer] [get update]"];
          assert.ok([wanted, one].some((list) => JSON.stringify([...may].sort()) === JSON.stringify(list)), `${name} may in ${where}: ${may.join("; ")}`);
          onboarding += 1;
        } else {
          assert.deepEqual(may, [], `the account ${namespace}/${name} may do something in ${where}`);
          none += 1;
        }
      }
    }
  }
  assert.equal(onboarding, TENANTS.length);
  const mounted = (await get("pods", "-A")).items.filter(({ metadata, spec }) => TENANTS.includes(metadata.namespace) && spec.volumes?.some((volume) => volume.projected?.sources.some((source) => source.serviceAccountToken)));
  assert.deepEqual(mounted.map(({ metadata }) => metadata.name), [], "pods of tenants have no token of a service account");
  return `service accounts may do nothing (${none} pairs of account and namespace), but for ${onboarding} that write two Secrets in their tenant's namespace; no pod of a tenant has a token`;
}
