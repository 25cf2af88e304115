/**
 * Redirects: what is asked next, by the rules of fetch (Fetch standard, "HTTP-redirect fetch") and RFC 9110, 15.4. Pure.
 */

import type { OutgoingBody } from "../message/encode.ts";
import type { Field } from "../wire/fields.ts";
import { parseTarget, type Target } from "../wire/url.ts";

/** The parts of a request that a redirect can change. */
export interface Asked {
  readonly method: string;
  readonly target: Target;
  readonly fields: readonly Field[];
  readonly body: OutgoingBody | null;
}

/** 300 and 304 are answers: the one offers a choice, the other ends a question about a copy. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** Whether an answer sends the client elsewhere. */
export function isRedirect(status: number, location: string | undefined): location is string {
  return location !== undefined && REDIRECTS.has(status);
}

/** Fields that describe a body, and go with it. */
const BODY_FIELDS = new Set([
  "content-type",
  "content-encoding",
  "content-language",
  "content-location",
  "content-length",
]);
/** Fields that are meant for one server and no other: what proves who asks, and the name it is asked under. */
const PRIVATE_FIELDS = new Set(["authorization", "cookie", "proxy-authorization", "host"]);

/** What to ask after this answer, or the text of why not. */
export function redirected(asked: Asked, status: number, location: string): Asked | string {
  const target = parseTarget(location, asked.target);
  if (target === null) return "redirect to a URL that is not a valid http or https URL";
  if (asked.target.secure && !target.secure) return "redirect from https to http refused";
  const { method } = asked;
  const becomesGet = status === 303 ? method !== "HEAD" : status <= 302 && method === "POST";
  const staysHere = target.origin === asked.target.origin;
  let { fields } = asked;
  if (becomesGet) fields = without(fields, BODY_FIELDS);
  if (!staysHere) fields = without(fields, PRIVATE_FIELDS);
  return {
    method: becomesGet ? "GET" : method,
    // Credentials of the first URL hold for its server.
    target:
      staysHere && target.authorization === null
        ? { ...target, authorization: asked.target.authorization }
        : target,
    fields,
    body: becomesGet ? null : asked.body,
  };
}

function without(fields: readonly Field[], names: ReadonlySet<string>): readonly Field[] {
  return fields.filter(([name]) => !names.has(name.toLowerCase()));
}
