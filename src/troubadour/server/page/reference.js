// API reference from the server's own OpenAPI document, without files from other hosts.
import { call } from "./api.js";
import { $, element, guarded } from "./dom.js";

function kind(schema) {
  if (schema.anyOf) return schema.anyOf.map(kind).filter((k) => k !== "null").join(" or ");
  if (schema.enum) return schema.enum.join(", ");
  if (schema.type === "array") return `list of ${kind(schema.items ?? {})}`;
  const { minimum: low, maximum: high } = schema;
  return `${schema.type ?? "any"}${low !== undefined && high !== undefined ? ` ${low} to ${high}` : ""}`;
}

function field(name, schema, required, about) {
  const known = schema.default !== undefined && schema.default !== null && schema.default !== "";
  const words = [kind(schema), required ? "required" : known ? `by default ${JSON.stringify(schema.default)}` : "",
    about ?? schema.description, schema.examples && `such as ${JSON.stringify(schema.examples[0])}`];
  return [element("dt", "", {}, element("code", name)), element("dd", words.filter(Boolean).join("; "))];
}

function route(path, method, told, schemas) {
  const made = element("details", "", {}, element("summary", "", {}, element("code", `${method.toUpperCase()} ${path}`), ` ${(told.description ?? "").split("\n\n")[0]}`));
  for (const words of (told.description ?? "").split("\n\n").slice(1)) made.append(element("p", words));
  const list = element("dl");
  for (const p of told.parameters ?? []) list.append(...field(p.name, p.schema, p.required, p.description));
  const body = told.requestBody?.content["application/json"]?.schema.$ref?.split("/").at(-1);
  if (body) {
    const { properties, required = [], description } = schemas[body];
    made.append(element("p", `JSON body: ${description ?? ""}`, { className: "small" }));
    for (const [name, schema] of Object.entries(properties)) list.append(...field(name, schema, required.includes(name)));
  }
  if (list.childElementCount) made.append(list);
  return made;
}

await guarded(document.querySelector("main"), async () => {
  const { paths, components } = await call("/api/openapi.json");
  $("routes").replaceChildren(...Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, told]) => route(path, method, told, components?.schemas ?? {}))));
});
$("routes").removeAttribute("aria-busy");
