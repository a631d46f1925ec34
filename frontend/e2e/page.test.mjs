// The page, as people use it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { figure, PROD, Stage, standing, TEST, until } from "./stage.mjs";

let stage;
before(async () => (stage = await Stage.open()));
after(() => stage?.close());

const tenantsOn = (page) => page.locator(".tenant h3 a").allTextContents();
const graphql = (page, query) =>
  page.evaluate(
    async (query) =>
      (await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ query }) })).json(),
    query,
  );

test("signing in leads back to where one was", async () => {
  const page = await stage.as("admin", `/t/${PROD}?range=15m`);
  await page.waitForURL(`**/t/${PROD}?range=15m`);
  await until("the tab says where one is", async () => (await page.title()) === `Overview · ${PROD} · PROD · Sundial`);
  await page.context().close();
});

test("a refusal on GitHub is explained", async () => {
  const page = await stage.page();
  await page.goto(stage.url);
  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByText("You said no on GitHub.").waitFor();
  await page.context().close();
});

test("admin sees both tenants of the group", async () => {
  const page = await stage.as("admin");
  await page.getByRole("heading", { name: "Tenants" }).waitFor();
  await until("both tenants are listed", async () => (await tenantsOn(page)).length === 2);
  assert.deepEqual(await tenantsOn(page), [PROD, TEST]);
  await page.context().close();
});

test("viewer sees prod, and test is no more open than a tenant that does not exist", async () => {
  const page = await stage.as("viewer");
  await page.getByRole("link", { name: PROD }).waitFor();
  assert.deepEqual(await tenantsOn(page), [PROD]);
  const answers = [];
  for (const slug of [TEST, "no-such-tenant"]) {
    await page.goto(`${stage.url}/t/${slug}`);
    await page.getByRole("heading", { name: "No such tenant is open to you" }).waitFor();
    answers.push({ title: await page.title(), text: await page.locator(".head").innerText() });
  }
  assert.deepEqual(answers[0], answers[1]);
  await page.context().close();
});

test("stranger is told why there is nothing to see", async () => {
  const page = await stage.as("stranger");
  await page.getByRole("heading", { name: "No tenant is open to you yet" }).waitFor();
  assert.match(await page.locator("main").innerText(), /GitHub lists (no organisation|\d+ organisations?) for you/);
  assert.match(await page.locator("header").innerText(), /Signed in as stranger/);
  await page.context().close();
});

test("the chart grows as points are written, and stands still while paused", async () => {
  const page = await stage.as("admin", `/t/${PROD}?range=1h`);
  await until("the connection is live", async () => (await standing(page)) === "Live");
  const first = await until("points are on the chart", () => figure(page, "Points on the chart"));
  await until("three more come", async () => (await figure(page, "Points on the chart")) >= first + 3);
  assert.ok(await page.locator(".uplot canvas").isVisible());

  await page.getByRole("button", { name: "Pause live updates" }).click();
  const paused = await figure(page, "Points on the chart");
  await page.getByText(/\d+ points are waiting/).waitFor();
  await sleep(2_500);
  assert.equal(await figure(page, "Points on the chart"), paused);
  await page.getByRole("button", { name: "Resume", exact: true }).click();
  await until("what waited is shown", async () => (await figure(page, "Points on the chart")) > paused);
  assert.deepEqual([page.problems, page.foreign], [[], []]);
  await page.context().close();
});

test("after a crash of the server the page reconnects by itself and misses no point", async () => {
  const page = await stage.as("admin", `/t/${PROD}`);
  await until("points are on the chart", () => figure(page, "Points on the chart"));
  await until("the connection is live", async () => (await standing(page)) === "Live");
  const crash = Math.ceil(Date.now() / 1000);
  await stage.killServer();
  await until("the cut is shown", async () => (await standing(page)) === "Reconnecting");
  await page.getByText("Trying again in").waitFor();
  await sleep(3_000);
  await stage.startServer();
  await until("the connection is back", async () => (await standing(page)) === "Live", 30);
  const back = Math.floor(Date.now() / 1000);

  await page.locator("label", { hasText: "Table" }).click();
  const wanted = Array.from({ length: back - crash }, (_, index) => crash + index);
  await until(
    "every second of the crash has its point in the table",
    async () => {
      const rows = await page.locator(".points tbody th").allTextContents();
      const seen = new Set(rows.map((row) => Date.parse(row) / 1000));
      return wanted.every((second) => seen.has(second));
    },
    30,
  );
  await until("no gap is left", async () => (await figure(page, "Gaps")) === 0);
  await page.context().close();
});

test("the address holds range, series and view", async () => {
  const page = await stage.as("admin", `/t/${PROD}`);
  await until("series are listed", async () => (await page.locator(".choose").count()) > 1);
  await page.locator("label", { hasText: /^1 h$/ }).click();
  await page.locator(".choose").nth(1).click();
  await page.locator("label", { hasText: "Table" }).click();
  await page.waitForURL(/range=1h.*series=.*view=table/);
  const heading = await page.locator("#chart").textContent();
  await page.reload();
  await page.locator(".points tbody tr").first().waitFor();
  assert.equal(await page.locator("#chart").textContent(), heading);
  assert.ok(await page.getByRole("radio", { name: "1 h", exact: true }).isChecked());
  await page.context().close();
});

test("Back undoes what was chosen", async () => {
  const page = await stage.as("admin", `/t/${PROD}`);
  await until("series are listed", async () => (await page.locator(".choose").count()) > 1);
  const first = await page.locator("#chart").textContent();
  await page.locator(".choose").nth(1).click();
  await until("another is on the chart", async () => (await page.locator("#chart").textContent()) !== first);
  await page.locator("label", { hasText: "Table" }).click();
  await page.locator(".points").waitFor();
  await page.goBack();
  await page.locator(".uplot canvas").waitFor();
  await page.goBack();
  await until("the first is on the chart", async () => (await page.locator("#chart").textContent()) === first);
  await page.context().close();
});

test("buckets of a histogram are one row that opens, and what is chosen far down is in sight", async () => {
  const page = await stage.as("admin", `/t/${TEST}`);
  const buckets = Array.from({ length: 30 }, (_, index) => `e2e.size_bucket{le="${index + 1}",producer="clock"}`);
  const others = Array.from({ length: 40 }, (_, index) => `e2e.far_down_${index + 10}{producer="clock"}`);
  const batches = [...buckets, ...others].map((series) => `{series: ${JSON.stringify(series)}, times: ["${new Date().toISOString()}"], values: [1]}`);
  const answer = await graphql(page, `mutation { ingest(tenant: "${TEST}", batches: [${batches}]) { points } }`);
  assert.equal(answer.errors, undefined);
  const fold = page.getByRole("button", { name: "e2e.size_bucket" });
  await fold.waitFor();
  assert.equal(await page.getByRole("button", { name: 'le="30"' }).count(), 0);
  await fold.click();
  assert.equal(await fold.getAttribute("aria-expanded"), "true");
  assert.equal(await page.getByRole("button", { name: /^le=/ }).count(), 30);
  await page.getByText('All have producer="clock"').waitFor();

  for (const [width, height] of [[1440, 900], [360, 740]]) {
    await page.setViewportSize({ width, height });
    const last = page.locator(".choose").last();
    await last.scrollIntoViewIfNeeded();
    await last.click();
    await until(`the chart is in sight at ${width}`, () =>
      page.evaluate(() => {
        const { top } = document.getElementById("chart").getBoundingClientRect();
        return top >= 48 && top < innerHeight / 2;
      }),
    );
    await page.goBack();
  }
  await page.context().close();
});

test("a series that comes after the list was read and before the connection stands is listed", async () => {
  const page = await stage.as("admin");
  await page.getByRole("link", { name: TEST }).waitFor();
  let connect;
  const written = new Promise((resolve) => (connect = resolve));
  await page.routeWebSocket(/\/graphql/, async (socket) => {
    await written;
    socket.connectToServer();
  });
  await page.getByRole("link", { name: TEST }).click();
  await until("series are listed", async () => (await page.locator(".choose").count()) > 0);
  const batch = `{series: "e2e.between", times: ["${new Date().toISOString()}"], values: [1]}`;
  const answer = await graphql(page, `mutation { ingest(tenant: "${TEST}", batches: [${batch}]) { points } }`);
  assert.equal(answer.errors, undefined);
  connect();
  await page.locator(".choose", { hasText: "e2e.between" }).waitFor();
  await page.context().close();
});

test("the other tenant is entered by keyboard where its content begins", async () => {
  const page = await stage.as("admin", `/t/${PROD}`);
  const button = page.getByRole("button", { name: `Tenant PROD ${PROD}` });
  await button.focus();
  await page.keyboard.press("Enter");
  await page.locator("#switch").getByRole("link", { name: TEST }).focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(`**/t/${TEST}`);
  await until("the content has the focus", () => page.evaluate(() => document.activeElement?.id === "main"));
  await page.context().close();
});

test("wide ranges are drawn from windows, and grow too", async () => {
  const page = await stage.as("admin", `/t/${PROD}?range=24h`);
  await page.getByText("windows of 2 min").waitFor();
  const first = await figure(page, "Points on the chart");
  await until("more come", async () => (await figure(page, "Points on the chart")) > first);
  assert.deepEqual(page.problems, []);
  await page.context().close();
});

test("switching the tenant leaves nothing of the other", async () => {
  const page = await stage.as("admin", `/t/${PROD}?range=1h`);
  await until("points are on the chart", () => figure(page, "Points on the chart"));
  assert.equal(await page.locator(".shell").getAttribute("data-env"), "prod");
  const red = await page.locator("meta[name=theme-color]").getAttribute("content");
  await page.getByRole("button", { name: `Tenant PROD ${PROD}` }).click();
  await page.locator("#switch").getByRole("link", { name: TEST }).click();
  await page.waitForURL(`**/t/${TEST}`);
  await until("the bar is that of TEST", async () => (await page.locator(".shell").getAttribute("data-env")) === "test");
  assert.equal(await page.title(), `Overview · ${TEST} · TEST · Sundial`);
  assert.notEqual(await page.locator("meta[name=theme-color]").getAttribute("content"), red);
  assert.ok(!(await page.locator("main").innerHTML()).includes(PROD));
  await until("points of TEST come", () => figure(page, "Points on the chart"));
  await page.context().close();
});

test("the theme turns from the system's to light, to dark, and stays", async () => {
  const page = await stage.as("admin", "/", { theme: "dark" });
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const button = page.getByRole("button", { name: /^Theme:/ }).first();
  await button.waitFor();
  const dark = await background();
  await button.click();
  assert.notEqual(await background(), dark);
  await button.click();
  assert.equal(await background(), dark);
  await page.emulateMedia({ colorScheme: "light" });
  await page.reload();
  assert.equal(await background(), dark);
  await page.context().close();
});

test("signing out ends the session, here and on the server", async () => {
  const page = await stage.as("admin", `/t/${PROD}`);
  await until("points are on the chart", () => figure(page, "Points on the chart"));
  const cookies = await page.context().cookies();
  await page.getByRole("button", { name: /account of/ }).click();
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.getByRole("link", { name: "Sign in with GitHub" }).waitFor();
  assert.equal((await graphql(page, "{ viewer { login } }")).data.viewer, null);
  // The old cookie opens nothing any more.
  await page.context().addCookies(cookies);
  await page.goto(`${stage.url}/t/${PROD}`);
  await page.getByRole("link", { name: "Sign in with GitHub" }).waitFor();
  await page.context().close();
});
