// Programs that run while they are measured: their start and end, memory and CPU time.

import { spawn } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";

const running = new Set();

// Starts a program; its output goes to a file that carries its name.
export function start(name, command, options, directory) {
  const file = path.join(directory, `${name}.log`);
  const log = fs.openSync(file, "w");
  const child = spawn(command[0], command.slice(1), { ...options, stdio: ["ignore", log, log] });
  fs.closeSync(log);
  running.add(child);
  child.once("error", () => running.delete(child)).once("exit", () => running.delete(child));
  return { name, child, file, pid: child.pid };
}

export async function stop({ child }) {
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await ended;
}

export async function stopAll() {
  const ended = [...running].map((child) => new Promise((resolve) => child.once("exit", resolve)));
  for (const child of running) child.kill("SIGTERM");
  const late = setTimeout(() => running.forEach((child) => child.kill("SIGKILL")), 15_000);
  await Promise.all(ended);
  clearTimeout(late);
}

// Waits until an address answers without an error of its own.
export async function answers(program, url) {
  for (let tries = 0; tries < 600; tries += 1) {
    if (program.child.exitCode !== null || program.pid === undefined) break;
    const answer = await fetch(url).catch(() => undefined);
    if (answer && answer.status < 500) return;
    await sleep(100);
  }
  const end = fs.readFileSync(program.file, "utf8").trimEnd().split("\n").slice(-15).join("\n");
  throw new Error(`${program.name} does not answer at ${url}:\n${end}`);
}

// Runs a program to its end and resolves to what it prints.
export function run(command, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command[0], command.slice(1), { ...options, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (errors += data));
    child.once("error", reject);
    child.once("close", (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${command.slice(0, 3).join(" ")} … ended with ${code}:\n${(errors || output).slice(-2000)}`));
    });
  });
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function freePort() {
  return new Promise((resolve, reject) => {
    const probe = net.createServer().once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

function stat(pid) {
  const text = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return { parent: Number(fields[1]), own: Number(fields[11]) + Number(fields[12]), children: Number(fields[13]) + Number(fields[14]) };
}

// Seconds of CPU time that a process, the children that live, and those that ended have taken. (100 ticks a second
// wherever Linux runs.)
export function cpu(pids) {
  let ticks = 0;
  for (const pid of pids) {
    const { own, children } = stat(pid);
    ticks += own + children;
    for (const other of fs.readdirSync("/proc")) {
      if (!/^\d+$/.test(other)) continue;
      try {
        const { parent, own: its } = stat(other);
        if (parent === pid) ticks += its;
      } catch {
        // It ended meanwhile.
      }
    }
  }
  return ticks / 100;
}

// Waits until processes rest: what they put off belongs to the work before it.
export async function rest(pids) {
  for (let waits = 0, before = cpu(pids); waits < 60; waits += 1) {
    await sleep(500);
    const now = cpu(pids);
    if (now - before < 0.02) return;
    before = now;
  }
}

function status(pid, name) {
  const text = fs.readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`${name}:\\s*(\\d+)`).exec(text)[1]) / 1000;
}

// The most memory a process has held, MB.
export const peak = (pid) => status(pid, "VmHWM");

// The memory it holds, MB.
export const resident = (pid) => status(pid, "VmRSS");

// Bytes of a file, or of all files below a directory.
export function size(file) {
  const found = fs.statSync(file, { throwIfNoEntry: false });
  if (!found) return 0;
  if (!found.isDirectory()) return found.size;
  return fs.readdirSync(file).reduce((sum, name) => sum + size(path.join(file, name)), 0);
}
