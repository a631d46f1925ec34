// GraphiQL, from our own origin.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { PROD, Stage, until } from "./stage.mjs";

let stage;
before(async () => (stage = await Stage.open()));
after(() => stage?.close());

// GraphiQL reads a tab's operation a moment after it is chosen; a person takes longer to press the button.
async function choose(page, name) {
  await page.getByRole("tab", { name }).click();
  await sleep(1_000);
}

test("a query and a subscription run as who is signed in, and no request leaves the origin", async () => {
  const page = await stage.as("admin");
  await page.goto(`${stage.url}/graphiql?tenant=${PROD}`);
  const shown = (text) => async () => (await page.locator(".graphiql-response").innerText()).includes(text);
  const run = page.locator(".graphiql-execute-button");
  await run.waitFor();

  // Until the editor is there, the button does nothing.
  await until("the query is answered", async () => {
    if (await shown('"admin"')()) return true;
    await run.click();
    return sleep(1_000, false);
  });

  await page.getByRole("button", { name: "Documentation Explorer" }).click();
  const explorer = page.locator(".graphiql-doc-explorer");
  await explorer.getByRole("link", { name: "Query", exact: true }).click();
  await explorer.getByText("The server's clock, read while the query runs.").waitFor();

  await choose(page, "Samples");
  await until("the tenant is filled in", async () => (await page.locator(".graphiql-editor-tool").innerText()).includes(PROD));
  await run.click();
  await until("samples are there", shown('"samples"'));

  await choose(page, "Live");
  await run.click();
  await until("a point arrives", shown("clock.offset_seconds"));
  await run.click();
  assert.deepEqual([page.problems, page.foreign], [[], []]);
  await page.context().close();
});

test("on a phone the answer stands under the question, and who is not signed in finds the way", async () => {
  const page = await stage.page({ width: 360, height: 740 });
  await page.goto(`${stage.url}/graphiql?tenant=${PROD}`);
  const way = page.getByRole("link", { name: "Sign in" });
  await way.waitFor();
  assert.equal(await way.getAttribute("href"), `/auth/login?return_to=${encodeURIComponent(`/graphiql?tenant=${PROD}`)}`);
  const [question, answer] = [await page.locator(".graphiql-editors").boundingBox(), await page.locator(".graphiql-response").boundingBox()];
  assert.ok(answer.width > 240 && answer.height > 150 && answer.y >= question.y + question.height, JSON.stringify({ question, answer }));
  const title = await page.locator(".graphiql-logo").boundingBox();
  assert.ok(title.x + title.width <= 360 && title.y >= 0 && title.height < 40, JSON.stringify(title));
  await page.context().close();
});
