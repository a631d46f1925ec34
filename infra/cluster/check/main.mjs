#!/usr/bin/env node
// Tries the deployment on the cluster that tools/check-cluster has started, and says what was seen, a line each.

import { accounts, table } from "./connectivity.mjs";
import * as plain from "./plain.mjs";
import * as repository from "./repository.mjs";
import * as tenants from "./tenants.mjs";

const begun = Date.now();
const checks = [
  ["Helm alone", [plain.install, plain.test, plain.upgrade, plain.budget, plain.scale, plain.uninstall]],
  ["Argo CD", [tenants.sync, tenants.migration, tenants.restricted, tenants.onboard, tenants.healed]],
  ["Zero trust", [table, accounts]],
  ["Data and load", [tenants.points, tenants.rolling, tenants.killed, tenants.remove]],
];

let passed = 0;
let failed = 0;
for (const [heading, steps] of checks) {
  if (process.argv.length > 2 && !process.argv.includes(heading)) continue;
  console.log(`\n-- ${heading} (after ${Math.round((Date.now() - begun) / 1000)} s)`);
  if (heading === "Argo CD") {
    for (const instead of await repository.make()) console.log(`   instead: ${instead}`);
  }
  for (const step of steps) {
    try {
      console.log(`ok ${await step()}`);
      passed += 1;
    } catch (error) {
      console.log(`NOT ok ${step.name}: ${error.message}`);
      failed += 1;
      // What comes after depends on it.
      break;
    }
  }
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
