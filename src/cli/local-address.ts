import { error_code } from "std-net";

/**
 * The address that an argument means: a port alone, `8080` or `:8080`, is one of this computer. (Who wants to be reached from
 * others writes 0.0.0.0:8080 or [::]:8080.)
 */
export function localAddress(text: string): string {
  const port = /^:?(\d+)$/.exec(text)?.[1];
  return port === undefined ? text : `127.0.0.1:${port}`;
}

/** Says what the user can do about an address that cannot be had. */
export function bindRemedy(error: string): string {
  switch (error_code(error)) {
    case "EADDRINUSE":
      return `${error}: another program has it; take another port, or 0 for one that is free`;
    case "EACCES":
      return `${error}: take a port of 1024 or more`;
    default:
      return error;
  }
}
