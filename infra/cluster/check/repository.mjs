// The Git repository that Argo CD reads: this tree's chart/ and infra/, with what one node without a registry and a cloud
// cannot have put in its place. Each of these is said.

import fs from "node:fs";
import path from "node:path";
import { root, run, state } from "./lib.mjs";

export const bare = path.join(state, "repository.git");
const work = path.join(state, "repository");
const git = (...args) => run("git", ["-C", work, "-c", "user.name=check", "-c", "user.email=check@example.org", ...args]);

export const read = (file) => fs.readFileSync(path.join(work, file), "utf8");

/** Replaces a text, which must be there, or the check would silently be of something else. */
function replace(file, from, to) {
  const text = read(file);
  const found = typeof from === "string" ? text.includes(from) : from.test(text);
  if (!found) throw new Error(`${file} no longer says ${from}; please adapt infra/cluster/check/repository.mjs`);
  fs.writeFileSync(path.join(work, file), typeof from === "string" ? text.replaceAll(from, to) : text.replace(from, to));
}

/** Images of an environment: those that were built here, by a tag that the node has. */
export function environment(name, tag) {
  const images = ["backend", "frontend", "producer"].map((image) => `  ${image}: { repository: localhost/sundial-${image}, tag: ${tag}, digest: "" }\n`);
  fs.writeFileSync(path.join(work, `infra/applications/environments/${name}.yaml`), `images:\n${images.join("")}`);
}

export async function commit(message) {
  await git("add", "--all");
  await git("commit", "--quiet", "--message", message);
  await git("push", "--quiet", "origin", "HEAD:main");
}

export const revert = async () => {
  await git("revert", "--no-edit", "HEAD");
  await git("push", "--quiet", "origin", "HEAD:main");
};

export function write(file, text) {
  fs.mkdirSync(path.dirname(path.join(work, file)), { recursive: true });
  fs.writeFileSync(path.join(work, file), text);
}
export const remove = (file) => fs.rmSync(path.join(work, file));

/** Makes the repository anew; returns what was put in place of what. */
export async function make() {
  for (const directory of [bare, work]) fs.rmSync(directory, { recursive: true, force: true });
  await run("git", ["init", "--quiet", "--bare", "--initial-branch=main", bare]);
  await run("git", ["init", "--quiet", "--initial-branch=main", work]);
  await git("remote", "add", "origin", bare);
  for (const folder of ["chart", "infra"]) fs.cpSync(path.join(root, folder), path.join(work, folder), { recursive: true });

  const values = "infra/applications/values.yaml";
  // A fork names its own there.
  const [, address] = read("infra/bootstrap/root.yaml").match(/^ *repoURL: (\S+)$/m);
  replace("infra/bootstrap/root.yaml", address, `file://${bare}`);
  environment("test", "check");
  environment("prod", "check");
  replace(values, /^database:\n(  .*\n)*/m, "database:\n  port: 5432\n  addresses: [192.0.2.10/32]\n");
  replace(values, /^github:\n(  .*\n)*/m, "github:\n  clientId: sundial-check\n  webhook: true\n  url: https://github.example.org\n  apiUrl: https://github.example.org/api/v3\n  port: 443\n  addresses: [198.51.100.20/32]\n");
  replace(values, /^(apiServer:\n(  .*\n)*?  addresses:).*$/m, "$1 [10.99.0.10/32]");
  for (const part of ["gateway", "certManager"]) replace(values, new RegExp(`^${part}:\n  enabled: true$`, "m"), `${part}:\n  enabled: false`);
  await commit("This tree, for one node");
  return [
    "images: localhost/sundial-*:check, built here, in place of digests that are published",
    "database, GitHub and API server: the addresses that they have here; GitHub is the stand-in",
    "NGINX Gateway Fabric and cert-manager: off; the check's gateway serves the HTTPRoutes with a certificate of its own",
  ];
}
