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
