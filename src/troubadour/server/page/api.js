// How the page asks the server. Every error is an Error whose message a person can read.

/** The server gave no answer at all. */
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
  try { detail = (await response.json()).detail ?? detail; } catch { /* no JSON: the status says it */ }
  throw new Error(detail);
}

/** JSON of a route; with a body it is posted. */
export async function call(path, body, method = body ? "POST" : "GET") {
  const sent = body && { headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  return (await answered(path, { method, ...sent })).json();
}

/** JSON of a route that takes a file. */
export async function send(path, file) {
  return (await answered(path, { method: "POST", body: file })).json();
}

/** Text of a route, or nothing where there is none. */
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
