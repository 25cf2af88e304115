import { parseProxy } from "../http/client/proxy.ts";

/** One line: how it is here, whether that is as it should be, and what to do otherwise. */
export interface Finding {
  readonly name: string;
  /** "fact" is neither good nor bad; "no" is something that one can do without; "bad" makes the command fail. */
  readonly state: "ok" | "fact" | "no" | "bad";
  readonly text: string;
}

/** What the environment says about proxies, without what is secret of it. */
export function* proxyFindings(env: NodeJS.ProcessEnv): Iterable<Finding> {
  const isUsed = env["NODE_USE_ENV_PROXY"] === "1";
  const given: Finding[] = [];
  for (const name of ["http_proxy", "https_proxy"]) {
    const key = env[name] ? name : name.toUpperCase();
    const value = env[key];
    if (!value) continue;
    const proxy = parseProxy(value);
    if (proxy === null) {
      const text = `${key} is no http proxy's URL: http://[user:password@]host:port`;
      given.push({ name: "proxy", state: isUsed ? "bad" : "no", text });
      continue;
    }
    const user = proxy.authorization === null ? "" : " with a user";
    given.push({ name: "proxy", state: "fact", text: `${key}: ${proxy.address}${user}` });
  }
  const exceptions = env["no_proxy"] || env["NO_PROXY"];
  if (given.length === 0) {
    yield { name: "proxy", state: "fact", text: "none" };
    return;
  }
  yield* given;
  if (exceptions) yield { name: "proxy", state: "fact", text: `none for: ${exceptions}` };
  if (!isUsed) {
    yield { name: "proxy", state: "no", text: "not used: NODE_USE_ENV_PROXY=1 makes these variables count" };
  }
}
