#!/usr/bin/env node
// What stands outside of the check's cluster: PostgreSQL, GitHub and an address that nobody has to do with. Runs inside
// of the cluster's network namespace, beside PostgreSQL (tools/postgres), until it is ended:
//
//     PG_LISTEN=192.0.2.10:5432 PG_TLS=NAME tools/postgres infra/cluster/outside.mjs BIN PKI GITHUB ELSEWHERE SECRETS
//
// BIN has github-stand-in, PKI the certificates; GITHUB and ELSEWHERE are addresses. The file SECRETS is written when
// all is there: it holds the passwords that were made up.

import { execFileSync, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";

const [bin, pki, githubAddress, elsewhere, secretsFile] = process.argv.slice(2);
const superuser = process.env.SUNDIAL_TEST_POSTGRES;
const secret = () => randomBytes(24).toString("hex");
const secrets = { superuser, owner: secret(), application: secret(), onboarding: secret(), clientSecret: secret(), webhook: secret() };

// As docs/operations.md says, but for CREATEROLE: the owner makes a role for each tenant.
const statements = `
CREATE ROLE sundial_owner LOGIN PASSWORD '${secrets.owner}' NOSUPERUSER NOBYPASSRLS CREATEROLE;
CREATE ROLE sundial_app LOGIN PASSWORD '${secrets.application}' NOSUPERUSER NOBYPASSRLS;
CREATE DATABASE sundial OWNER sundial_owner;
CREATE DATABASE plain OWNER sundial_owner;`;
for (const statement of statements.trim().split("\n")) {
  execFileSync("psql", [superuser, "--quiet", "--no-psqlrc", "-v", "ON_ERROR_STOP=1"], { input: statement, stdio: ["pipe", "inherit", "inherit"] });
}

const standIn = spawn(
  path.join(bin, "github-stand-in"),
  ["--listen", "127.0.0.1:9002", "--client-id", "sundial-check", "--callback-url", "https://sundial.example.org/auth/callback"],
  { env: { ...process.env, GITHUB_CLIENT_SECRET: secrets.clientSecret }, stdio: "inherit" },
);
standIn.once("exit", (code) => process.exit(code ?? 1));

const tls = { key: fs.readFileSync(path.join(pki, "outside.key")), cert: fs.readFileSync(path.join(pki, "outside.crt")) };
const listening = (server, address) => new Promise((resolve) => server.listen(443, address, resolve));
const github = https.createServer(tls, (request, answer) => {
  const { method, headers, url } = request;
  const onward = http.request({ host: "127.0.0.1", port: 9002, method, headers, path: url }, (response) => {
    answer.writeHead(response.statusCode, response.rawHeaders);
    response.pipe(answer);
  });
  onward.once("error", () => answer.writeHead(502).end());
  request.pipe(onward);
});
await listening(github, githubAddress);
await listening(https.createServer(tls, (_, answer) => answer.end("elsewhere\n")), elsewhere);

process.once("SIGTERM", () => standIn.kill());
fs.writeFileSync(secretsFile, JSON.stringify(secrets), { mode: 0o600 });
