// What somebody wants to install, read as far as the mock needs it: a hearth.json by its members, a docker-compose.yml line by line.

export function remark(place, words, line = null) {
  return { place, line, words };
}

/** `{made, notes}`, or `{refusals}`. */
export function readSource(source) {
  if ("manifest" in source) return readManifest(source.manifest);
  if ("compose" in source) return readCompose(source.compose);
  const name = source.image;
  if (!/^[a-z0-9][a-z0-9./:_@-]*$/.test(name)) return { refusals: [remark("", `“${name}” is no name of an image`)] };
  const [, short, tag] = /([^/:@]+)(?::([^/@]+))?$/.exec(name);
  const made = {
    title: short,
    version: tag && /^\d+\.\d+\.\d+$/.test(tag) ? tag : "0.0.0",
    id: short,
    scope: "user",
    images: [name],
    parts: ["app"],
    asks: [memory(512)],
  };
  return {
    made: { description: null, author: null, license: null, ...made },
    notes: [remark("", "Nothing but the name of the image is known: it is given no access to anything")],
  };
}

function readManifest(text) {
  let manifest;
  try {
    manifest = JSON.parse(text);
  } catch {
    return { refusals: [remark("", "it is no JSON")] };
  }
  const refusals = [];
  if (manifest.format !== 1) refusals.push(remark("/format", "it is 1"));
  if (!manifest.title) refusals.push(remark("/title", "it is missing"));
  if ("privileged" in manifest) refusals.push(remark("/privileged", "this key is not known"));
  if (refusals.length > 0) return { refusals };
  const { title, description = null, author = null, license = null, version, scope = "user", containers } = manifest;
  const id = manifest.id ?? idOf(title);
  const made = {
    title,
    description,
    author,
    license,
    version,
    id,
    scope,
    images: Object.values(containers).map(({ image }) => image),
    parts: Object.keys(containers),
    asks: asksOf(manifest),
  };
  return { made, notes: [] };
}

function asksOf({ permissions = {}, scope, containers }) {
  const asks = [];
  const ask = (weight, words, permissions, reason = null) => asks.push({ weight, words, reason, permissions });
  const { lan, internet, inbound = [], domains = [] } = permissions;
  if (lan) ask("high", "May reach every device in your home network", ["lan"], lan.reason);
  if (internet) ask("high", "May reach every computer on the Internet", ["internet"], internet.reason);
  if (scope === "system") ask("high", "Runs once for the whole household, with one set of data for everybody", []);
  for (const { port, app_port: own, reason } of inbound) {
    const [protocol, number] = port.split("/");
    ask("medium", `Other devices at home may reach it at port ${number} (${protocol.toUpperCase()})`, [`inbound:${port}:${own ?? number}`], reason);
  }
  for (const { names, reason } of domains) {
    const words = names.map((name) => name.replace(/^\*\./, "everything below ")).join(", ");
    ask(
      "medium",
      `May reach ${words} on the Internet`,
      names.map((name) => `domain:${name}`),
      reason,
    );
  }
  const folders = new Set(Object.values(containers).flatMap(({ volumes = [] }) => volumes.map(({ name }) => name)));
  if (folders.size > 0) ask("low", `Keeps data in ${folders.size} folder${folders.size === 1 ? "" : "s"}`, []);
  asks.push(memory(512 * Object.keys(containers).length));
  return asks;
}

function memory(mib) {
  return { weight: "low", words: `May use up to ${mib >= 1024 ? `${mib / 1024} GiB` : `${mib} MiB`} of memory`, reason: null, permissions: [] };
}

function readCompose({ text, title = "Imported app", version = "1.0.0", variables }) {
  const refusals = [];
  const notes = [];
  let service = "";
  const parts = [];
  const images = [];
  for (const [index, line] of text.split("\n").entries()) {
    const [, indent = "", key = "", value = ""] = /^(\s*)([\w-]+):\s*(.*)$/.exec(line) ?? [];
    if (indent.length === 2) parts.push((service = key));
    const place = `services.${service}.${key}`;
    if (key === "image") images.push(value);
    if (key === "privileged") refusals.push(remark(place, "no app gets all powers over the box", index + 1));
    if (key === "container_name") notes.push(remark(place, "it is left out: the box names containers itself", index + 1));
    for (const [, name] of line.matchAll(/\$\{(\w+)\}/g)) {
      if (!(name in variables)) refusals.push(remark(place, `the variable ${name} has no value; give it one`, index + 1));
    }
  }
  if (parts.length === 0) refusals.push(remark("services", "there are none"));
  if (refusals.length > 0) return { refusals };
  const asks = [
    {
      weight: "high",
      words: "May reach every computer on the Internet",
      reason: "docker-compose.yml does not say otherwise",
      permissions: ["internet"],
    },
    memory(512 * parts.length),
  ];
  return { made: { title, description: null, author: null, license: null, version, id: idOf(title), scope: "user", images, parts, asks }, notes };
}

function idOf(title) {
  return (
    title
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/^[^a-z]+|-+$/g, "") || "app"
  );
}
