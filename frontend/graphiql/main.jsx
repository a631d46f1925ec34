// GraphiQL on our own API: who is signed in asks as themselves; others put a token into the headers.
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { examples } from "./examples.js";
import { fetcher } from "./fetcher.js";
import "./page.css";

globalThis.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(`/graphiql/${WORKERS[label] ?? WORKERS.editor}`, { type: "module" }),
};

const tenant = new URLSearchParams(location.search).get("tenant") ?? "";
if (tenant) document.title = `GraphiQL · ${tenant} · Sundial`;

// What one types for a tenant comes back with that tenant only.
const storage = {
  name: (key) => `graphiql ${tenant} ${key}`,
  getItem: (key) => localStorage.getItem(storage.name(key)),
  setItem: (key, value) => localStorage.setItem(storage.name(key), value),
  removeItem: (key) => localStorage.removeItem(storage.name(key)),
  clear: () => Object.keys(localStorage).filter((key) => key.startsWith(storage.name(""))).forEach((key) => localStorage.removeItem(key)),
  get length() {
    return Object.keys(localStorage).filter((key) => key.startsWith(storage.name(""))).length;
  },
};

const headers = `// Without a session, a token says who asks:
// { "authorization": "Bearer sdl_…" }
{}`;

/** The way in, for who is not signed in. */
function SignIn() {
  const [needed, setNeeded] = useState(false);
  useEffect(() => {
    fetcher({ query: "{ viewer { login } }" }).then(
      ({ data }) => setNeeded(!data?.viewer),
      () => {}, // The server does not answer: nobody can sign in now.
    );
  }, []);
  const back = encodeURIComponent(location.pathname + location.search);
  return needed && <a className="sign-in" href={`/auth/login?return_to=${back}`}>Sign in</a>;
}

// Another tab's text begins at its left, wherever one was in the one before.
async function toTheLeft() {
  // The editor that GraphiQL itself loads, as late as it does.
  const { editor } = await import("monaco-graphql/esm/monaco-editor.js");
  setTimeout(() => editor.getEditors().forEach((pane) => pane.setScrollLeft(0)));
}

// The page's choice of theme holds here too.
const theme = localStorage.getItem("theme");

createRoot(document.getElementById("graphiql")).render(
  <GraphiQL
    fetcher={fetcher}
    storage={storage}
    defaultTabs={examples(tenant).map((tab) => ({ ...tab, headers }))}
    defaultHeaders={headers}
    defaultTheme={theme === "light" || theme === "dark" ? theme : null}
    defaultEditorToolsVisibility="variables"
    onTabChange={toTheLeft}
  >
    <GraphiQL.Logo>
      <SignIn />
      <a href={tenant ? `/t/${encodeURIComponent(tenant)}` : "/"}>Sundial{tenant && <span> · {tenant}</span>}</a>
    </GraphiQL.Logo>
  </GraphiQL>,
);
