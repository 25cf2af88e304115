type NodeTls = typeof import("node:tls") & {
  /** Since Node 22.15: what `--use-system-ca` and the like amount to. */
  getCACertificates?(type: "default"): string[];
};

let loaded: NodeTls | undefined;

/** node:tls, whose defaults are ours; loaded on the first TLS use. */
export function nodeTls(): NodeTls {
  loaded ??= process.getBuiltinModule("node:tls") as NodeTls;
  return loaded;
}
