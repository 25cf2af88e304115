type NodeTls = typeof import("node:tls") & {
  /** Since Node 22.15: what `--use-system-ca` and the like amount to. */
  getCACertificates?(type: "default"): string[];
};

/** node:tls, whose defaults are ours; loaded on the first TLS use. */
export function nodeTls(): NodeTls {
  return process.getBuiltinModule("node:tls");
}
