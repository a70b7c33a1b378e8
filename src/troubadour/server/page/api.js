// Requests to the server. Every error is an Error with a readable message.

/** The server did not answer. */
export class Away extends Error {}

async function answered(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Away("The server does not answer. Is it still running?");
  }
  if (response.ok) return response;
  let detail = `${response.status} ${response.statusText}`;
  try { detail = (await response.json()).detail ?? detail; } catch { /* no JSON: use the status text */ }
  throw new Error(detail);
}

/** JSON of a route; POST if a body is given. */
export async function call(path, body, method = body ? "POST" : "GET") {
  const sent = body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await answered(path, { method, ...sent })).json();
}

/** JSON of a route that takes a file as body. */
export async function send(path, file) {
  return (await answered(path, { method: "POST", body: file })).json();
}

/** Text of a route; empty if there is none. */
export async function text(path) {
  return (await answered(path)).text();
}

/** Server-sent events of a route as [name, data]. EventSource cannot post. */
export async function* events(path, body, signal) {
  const response = await answered(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
  });
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let kept = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const blocks = (kept + value).split("\n\n");
    kept = blocks.pop();
    for (const block of blocks) {
      const [name, data] = block.split("\n");
      yield [name.slice("event: ".length), JSON.parse(data.slice("data: ".length))];
    }
  }
}

export const path = (strings, ...values) => String.raw({ raw: strings }, ...values.map(encodeURIComponent));
