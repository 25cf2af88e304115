import { UsageError } from "./command.ts";

/**
 * The URL that an argument of the command means. `http://` may be left out for this computer, because nobody listens in between
 * there. For any other host the user says whether the request is encrypted.
 */
export function urlFrom(text: string): string {
  if (/^https?:\/\//i.test(text)) return text;
  // :8080/path, as `std-net serve :8080` has it.
  if (/^:\d+(?:[/?#]|$)/.test(text)) return `http://localhost${text}`;
  if (LOCAL.test(text)) return `http://${text}`;
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1];
  if (scheme !== undefined) throw new UsageError(`${scheme} URLs are not supported, only http and https`);
  throw new UsageError(`'${text}' has no scheme: write https://${text} or http://${text}`);
}

/** localhost, a name below it (RFC 6761, 6.3), 127.0.0.0/8 or [::1]; then a port, a path or nothing. */
const LOCAL = /^(?:(?:[a-z0-9-]+\.)*localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?(?:[/?#]|$)/i;

/** Whether the argument before a URL is a method and not another URL: a token (RFC 9110, 5.6.2) with no mark of a host. */
export function isMethod(text: string): boolean {
  return /^[A-Za-z][A-Za-z_-]*$/.test(text) && text.toLowerCase() !== "localhost";
}
