// Queries and mutations by POST, subscriptions by graphql-transport-ws; the session's cookie goes along with both.
import { createClient } from "graphql-ws";
import { getOperationAST } from "graphql";

const path = "/graphql";

/** GraphiQL's fetcher: an answer for queries and mutations, a stream of answers for subscriptions. */
export function fetcher({ query, variables, operationName }, { headers = {}, documentAST } = {}) {
  const body = { query, variables, operationName };
  const operation = documentAST && getOperationAST(documentAST, operationName ?? undefined);
  return operation?.operation === "subscription" ? stream(body, headers) : post(body, headers);
}

async function post(body, headers) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json", accept: "application/graphql-response+json, application/json;q=0.9", ...headers },
    body: JSON.stringify(body),
  });
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    // GraphiQL shows what is thrown; a proxy's page says more than "unexpected token".
    throw new Error(`The server answered ${response.status}: ${text.slice(0, 300)}`);
  }
}

function stream(body, headers) {
  // A socket takes no headers: they travel in its first message, by the names that the server knows.
  const connectionParams = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const client = createClient({ url: path, connectionParams, retryAttempts: 0 });
  return client.iterate(body);
}
