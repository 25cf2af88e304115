import { readFileSync } from "node:fs";
import { type Options, UsageError } from "./command.ts";

/** The options of TLS that several commands have. */
export const tlsOptions = {
  ca: { type: "string", values: "file" },
  cert: { type: "string", values: "file" },
  key: { type: "string", values: "file" },
  insecure: { type: "boolean", short: "k", default: false },
} as const satisfies Options;

/** PEM texts. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** What the files have. The key may be in the file of the certificate, as for curl. */
export function tlsFrom(values: {
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}): TlsFiles {
  const { ca, cert, key } = values;
  if (key !== undefined && cert === undefined) throw new UsageError("--key wants --cert too");
  return {
    ...(ca !== undefined && { ca: pemOf(ca) }),
    ...(cert !== undefined && { cert: pemOf(cert), key: pemOf(key ?? cert) }),
  };
}

function pemOf(path: string): string {
  return readFile(path, path).toString("latin1");
}

/** A file that an option names. `name` is for the error. */
export function readFile(file: string | number, name: string): Buffer {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new UsageError(
      `${name} cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    );
  }
}

/** Says what the user can do about it, where the command has an option for that. */
export function withRemedy(error: string): string {
  if (error.includes("certificate verify failed")) {
    return `${error} (--ca FILE trusts a CA of your own, --insecure any certificate)`;
  }
  return error;
}
