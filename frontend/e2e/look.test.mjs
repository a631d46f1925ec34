// How the page looks and reads: contrast, names, widths, policy. axe-core finds what a machine can find.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { PROD, Stage, TEST, until } from "./stage.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const ROUTES = [
  { name: "sign-in", path: "/", ready: "Sign in with GitHub" },
  { name: "a failed sign-in", path: "/signin?error=github_unavailable", ready: "GitHub did not answer." },
  { name: "no tenant", as: "stranger", path: "/", ready: "No tenant is open to you yet" },
  { name: "tenants", as: "admin", path: "/", ready: PROD },
  { name: "PROD", as: "admin", path: `/t/${PROD}`, ready: "windows|Vienna|UTC" },
  { name: "TEST, a day", as: "admin", path: `/t/${TEST}?range=24h`, ready: "windows of 2 min" },
  { name: "a table", as: "admin", path: `/t/${PROD}?view=table`, ready: "Value" },
  { name: "no such series", as: "admin", path: `/t/${PROD}?series=none`, ready: "No such series" },
  { name: "no such tenant", as: "viewer", path: `/t/${TEST}`, ready: "Stopped here" },
  { name: "no such tenant for a stranger", as: "stranger", path: `/t/${PROD}`, ready: "Stopped here" },
  { name: "account", as: "admin", path: "/account", ready: "This browser" },
  { name: "no such page", as: "viewer", path: "/nowhere/at/all", ready: "No such page" },
];

let stage;
before(async () => (stage = await Stage.open()));
after(() => stage?.close());

async function check(route, theme, width) {
  const page = await stage.page({ theme, width, height: width < 760 ? 780 : 900 });
  if (route.as) await stage.signIn(page, route.as, route.path);
  else await page.goto(stage.url + route.path);
  await page.locator("#main").getByText(new RegExp(route.ready)).first().waitFor();
  await until("the page is at rest", async () => (await page.locator("[aria-busy=true]").count()) === 0);

  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(wide, 0, `${route.name} scrolls sideways at ${width}`);
  // The page's policy runs no script from elsewhere; what the tests evaluate is not the page's.
  await page.evaluate(AXE);
  await assertAccessible(page, `${route.name}, ${theme}, ${width}`);
  for (const menu of await page.locator("[popovertarget]").all()) {
    await menu.click();
    await assertAccessible(page, `${route.name} with ${await menu.getAttribute("popovertarget")}, ${theme}, ${width}`);
    await page.keyboard.press("Escape");
  }
  assert.deepEqual([page.problems, page.foreign], [[], []], `${route.name}, ${theme}, ${width}`);
  await page.context().close();
}

async function assertAccessible(page, where) {
  const { passes, violations } = await page.evaluate(() =>
    globalThis.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] }),
  );
  assert.ok(passes.length > 10, "axe-core looked at nothing");
  const said = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
  assert.deepEqual(said, [], where);
}

for (const route of ROUTES) {
  test(`${route.name}: nothing for axe to find, nothing to scroll sideways, nothing on the console`, async () => {
    for (const theme of ["light", "dark"]) for (const width of [1440, 360]) await check(route, theme, width);
  });
}

test("the question before one signs out everywhere has nothing for axe to find", async () => {
  for (const theme of ["light", "dark"]) {
    const page = await stage.as("viewer", "/account", { theme, width: 360, height: 740 });
    await page.getByRole("button", { name: "Sign out everywhere", exact: true }).click();
    await page.getByRole("dialog", { name: "Sign out everywhere?" }).waitFor();
    await page.evaluate(AXE);
    await assertAccessible(page, `the question, ${theme}`);
    await page.context().close();
  }
});

test("no width from a phone to a wall scrolls sideways", async () => {
  const page = await stage.as("admin", `/t/${PROD}`);
  await page.locator(".uplot canvas").waitFor();
  for (const width of [360, 414, 768, 1000, 1024, 1100, 1280, 1920, 2560]) {
    await page.setViewportSize({ width, height: 900 });
    const wide = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await until(`nothing sticks out at ${width}`, async () => (await wide()) === 0, 3);
  }
  await page.context().close();
});

test("a phone scrolls the content and nothing else", async () => {
  for (const path of [`/t/${PROD}`, `/t/${PROD}?view=table`]) {
    const page = await stage.as("admin", path, { width: 360, height: 740 });
    await page.locator(".uplot canvas, .points tbody tr").first().waitFor();
    assert.equal(await page.evaluate(() => document.documentElement.scrollHeight), 740);
    await page.context().close();
  }
});

test("what is said when the page cannot start is readable", async () => {
  const page = await stage.page({ width: 1440 });
  await page.route("**/*.wasm", (route) => route.abort());
  await page.goto(stage.url);
  const words = page.locator("#boot-failed p");
  await words.waitFor();
  assert.ok((await words.boundingBox()).width > 600);
  await page.context().close();

  const plain = await (await stage.browser.newContext({ javaScriptEnabled: false, viewport: { width: 360, height: 740 } })).newPage();
  await plain.goto(stage.url);
  assert.ok((await plain.locator("noscript p").boundingBox()).width > 200);
  await plain.context().close();
});

test("the button that copies is called so", async () => {
  const page = await stage.as("stranger");
  await page.locator(".code button").first().waitFor();
  const devtools = await page.context().newCDPSession(page);
  const { nodes } = await devtools.send("Accessibility.getFullAXTree");
  const names = nodes.filter(({ role }) => role?.value === "button").map(({ name }) => name?.value);
  assert.ok(names.includes("Copy"), names.join());
  await page.context().close();
});

test("everything is reached by keyboard", async () => {
  const page = await stage.as("admin", `/t/${PROD}`);
  await page.locator(".uplot canvas").waitFor();
  const reached = [];
  for (let presses = 0; presses < 40; presses += 1) {
    await page.keyboard.press("Tab");
    reached.push(await page.evaluate(() => {
      const { activeElement: on } = document;
      return on.getAttribute("aria-label") ?? on.closest("label")?.textContent ?? on.textContent.trim();
    }));
  }
  for (const wanted of ["Skip to content", "Pause live updates", "5 min", "Chart", "GraphiQL"]) {
    assert.ok(reached.some((name) => name.includes(wanted)), `${wanted} is not among ${reached.join(" · ")}`);
  }
  await page.context().close();
});

test("the page runs under a policy without unsafe-inline, from hashed files that may be kept for ever", async () => {
  const answer = await fetch(stage.url);
  const policy = answer.headers.get("content-security-policy");
  assert.match(policy, /default-src 'none'/);
  assert.doesNotMatch(policy, /'unsafe-inline'|'unsafe-eval'/);
  const html = await answer.text();
  assert.doesNotMatch(html, /<script(?![^>]*\ssrc=)[^>]*>|\sstyle=|\son\w+=/);
  for (const [, path] of html.matchAll(/(?:src|href)="(\/[^"]+\.(?:js|css|wasm|svg))"/g)) {
    assert.match(path, /-[0-9a-f]{16}(_bg)?\.\w+$/);
    const file = await fetch(stage.url + path);
    assert.equal(file.status, 200);
    assert.match(file.headers.get("cache-control") ?? "", /immutable/, path);
    if (/sundial-web/.test(path)) {
      const bytes = Buffer.from(await file.arrayBuffer());
      assert.ok(path.includes(createHash("sha256").update(bytes).digest("hex").slice(0, 16)), `${path} is not named by its bytes`);
    }
  }
});
