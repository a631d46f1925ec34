// Who one is, where one is signed in, and why a tenant is not open.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PROD, Stage, TEST, until } from "./stage.mjs";

let stage;
before(async () => (stage = await Stage.open()));
after(() => stage?.close());

const rows = (page) => page.locator("tbody tr");
const signedIn = (page) => page.evaluate(async () => {
  const body = JSON.stringify({ query: "{ viewer { login } }" });
  const answer = await fetch("/graphql", { method: "POST", headers: { "content-type": "application/json" }, body });
  return Boolean((await answer.json()).data?.viewer);
});

test("the account page is reached from the header, and tells who one is and where one is signed in", async () => {
  const userAgent = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.0 Safari/604.1";
  const phone = await stage.as("viewer", "/", { userAgent });
  const page = await stage.as("viewer");
  await page.getByRole("button", { name: /account of Vera Viewer/ }).press("Enter");
  await page.getByRole("link", { name: "Account and browsers" }).press("Enter");
  await page.waitForURL("**/account");
  await until("both browsers are listed", async () => (await rows(page).count()) === 2);
  assert.match(await page.locator(".readout").innerText(), /Vera Viewer[^]*viewer[^]*mcce/);
  assert.match(await rows(page).nth(0).innerText(), /Chromium on Linux\s+This browser/);
  assert.match(await rows(page).nth(1).innerText(), /Safari on iPhone/);
  assert.match(await rows(page).nth(1).innerText(), /\d+ \w+ 20\d\d, \d\d:\d\d\s+now/);
  assert.equal(await page.title(), "Account · Sundial");
  assert.deepEqual([page.problems, page.foreign], [[], []]);
  await Promise.all([page.context().close(), phone.context().close()]);
});

test("another browser is signed out at once, and this one only when one says so twice", async () => {
  const [other, page] = [await stage.as("stranger"), await stage.as("stranger", "/account")];
  await until("both browsers are listed", async () => (await rows(page).count()) === 2);
  await rows(page).nth(1).getByRole("button", { name: /^Sign out/ }).click();
  await page.getByText("Chromium on Linux is signed out.").waitFor();
  await until("its row is gone", async () => (await rows(page).count()) === 1);
  assert.equal(await page.evaluate(() => document.activeElement.id), "browsers");
  assert.deepEqual([await signedIn(other), await signedIn(page)], [false, true]);
  assert.equal(await page.getByRole("button", { name: "Sign out everywhere else" }).count(), 0);

  const button = rows(page).nth(0).getByRole("button", { name: /^Sign out/ });
  await button.press("Enter");
  await page.getByRole("dialog", { name: "Sign out here?" }).waitFor();
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Stay signed in");
  await page.keyboard.press("Escape");
  await until("the dialog is closed", async () => !(await page.locator("dialog[open]").count()));
  assert.match(await page.evaluate(() => document.activeElement.getAttribute("aria-label")), /^Sign out Chromium on Linux/);
  assert.equal(await signedIn(page), true);
  await button.press("Enter");
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Sign in with GitHub" }).waitFor();
  assert.equal(await signedIn(page), false);
  await Promise.all([page.context().close(), other.context().close()]);
});

test("all other browsers are signed out together, and all of them too", async () => {
  const others = [await stage.as("admin"), await stage.as("admin")];
  const page = await stage.as("admin", "/account");
  await until("three browsers are listed", async () => (await rows(page).count()) === 3);
  await page.getByRole("button", { name: "Sign out everywhere else" }).click();
  await page.getByText("2 browsers are signed out.").waitFor();
  await until("one is left", async () => (await rows(page).count()) === 1);
  assert.deepEqual(await Promise.all([...others, page].map(signedIn)), [false, false, true]);

  const back = await stage.as("admin");
  await page.getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByRole("link", { name: "Sign in with GitHub" }).waitFor();
  assert.deepEqual(await Promise.all([back, page].map(signedIn)), [false, false]);
  await Promise.all([...others, back, page].map((one) => one.context().close()));
});

test("a list that does not come, and an act that fails, are said with the reason and tried again", async () => {
  const page = await stage.as("viewer", "/account");
  await rows(page).first().waitFor();
  await page.route("**/graphql", (route) => route.abort());
  await page.getByRole("button", { name: "Sign out everywhere", exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Sign out everywhere" }).click();
  await page.getByText("Nobody was signed out. The server did not answer.").waitFor();
  await page.unroute("**/graphql");
  await page.route("**/graphql", (route) => (/sessions/.test(route.request().postData()) ? route.abort() : route.continue()));
  await page.reload();
  await page.getByText("Your browsers could not be loaded. The server did not answer.").waitFor();
  await page.unroute("**/graphql");
  await rows(page).first().waitFor();
  assert.equal(await page.locator(".failure").count(), 0);
  await page.context().close();
});

test("a member who is in no team of a tenant is told so, and what to do", async () => {
  const page = await stage.as("viewer", `/t/${TEST}`);
  await page.locator(".step.bad").waitFor();
  assert.match(await page.locator(".step.bad").innerText(), /Stopped here[^]*in none of the teams[^]*What to do\. Ask an owner/);
  assert.equal(await page.locator(".step").count(), 7);
  assert.equal(await page.locator(".step.ok").count(), 6);
  await page.getByRole("button", { name: "Check again" }).click();
  await page.getByText(/GitHub was asked at \d\d:\d\d:\d\d/).waitFor();
  assert.deepEqual([page.problems, page.foreign], [[], []]);

  await page.getByRole("textbox", { name: /Name of the tenant/ }).fill("no-such-tenant");
  await page.getByRole("button", { name: "Show why" }).click();
  await page.getByText("No tenant of this name has an access rule for mcce.").waitFor();
  assert.match(await page.locator(".code pre").innerText(), /no-such-tenant[^]*login is viewer[^]*mcce/);
  await page.context().close();
});

test("one who knows a tenant's name asks for it, and learns nothing of one that is not theirs", async () => {
  const page = await stage.as("stranger");
  const answers = [];
  for (const name of [PROD, "no-such-tenant"]) {
    await page.getByRole("textbox", { name: /Name of the tenant/ }).fill(` ${name.toUpperCase()} `);
    await page.keyboard.press("Enter");
    await page.waitForURL(`**/t/${name}`);
    await page.locator(".step.bad").waitFor();
    const link = page.locator(".step.bad .fix a");
    assert.match(await link.getAttribute("href"), new RegExp(`^${stage.github}/`));
    const text = (await page.locator("main").innerText()).replace(/asked at [\d:]+/, "").replaceAll(name, "");
    answers.push({ text, title: await page.title(), link: await link.getAttribute("href") });
  }
  assert.deepEqual(answers[0], answers[1]);
  await page.goto(stage.url);
  await page.getByRole("link", { name: "stranger" }).press("Enter");
  await page.getByText("This browser", { exact: true }).waitFor();
  await page.context().close();
});
