/**
 * Redirects: what is requested next, by the rules of fetch (Fetch standard, "HTTP-redirect fetch") and RFC 9110, 15.4. Pure.
 */

import { Failure } from "../../error.ts";
import type { Field } from "../wire/fields.ts";
import type { ResponseHead } from "../wire/head-parser.ts";
import { parseTarget } from "../wire/url.ts";
import type { SentRequest } from "./request-bytes.ts";
import type { TlsFields } from "./request-options.ts";

/** 300 and 304 are responses: the one offers a choice, the other says that a copy is still good. */
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/** What of a response's head tells where it sends the client. */
type Pointing = Pick<ResponseHead, "status" | "locations">;

/**
 * Whether a response sends the client elsewhere. An empty Location names nothing (RFC 9110, 10.2.2): as a URL it would stand for
 * the one that was just requested, again and again.
 */
export function isRedirect({ status, locations }: Pointing): boolean {
  return locations.length > 0 && REDIRECTS.has(status) && locations.some((location) => !isBlank(location));
}

/** Whether a text holds nothing but what the URL standard (4.4) drops at a URL's ends: spaces and C0 controls. */
function isBlank(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x20) return false;
  return true;
}

/** Fields that describe a body, and go with it. */
const BODY_FIELDS = new Set([
  "content-type",
  "content-encoding",
  "content-language",
  "content-location",
  "content-length",
]);
/** Fields that are meant for one server and no other: what proves who the client is, and the name that the server is known by. */
const PRIVATE_FIELDS = new Set(["authorization", "cookie", "proxy-authorization", "host"]);

/** What to request after this response, or why not. */
export function redirected(request: SentRequest, { status, locations }: Pointing): SentRequest | Failure {
  const [location = "", ...others] = locations;
  // Location is no list (RFC 9110, 5.3): the same line again adds nothing, another one leaves open which is meant.
  if (others.some((other) => other !== location)) return AMBIGUOUS;
  const target = parseTarget(percentEncoded(location), request.target);
  if (target === null) return INVALID_URL;
  if (request.target.secure && !target.secure) return INSECURE;
  const { method } = request;
  const becomesGet = status === 303 ? method !== "HEAD" : status <= 302 && method === "POST";
  const parts = becomesGet ? null : request.parts;
  if (parts?.hasBegun) return NEEDS_BODY;
  const staysHere = target.origin === request.target.origin;
  let { fields } = request;
  if (becomesGet) fields = without(fields, BODY_FIELDS);
  if (!staysHere) fields = without(fields, PRIVATE_FIELDS);
  return {
    method: becomesGet ? "GET" : method,
    // Credentials of the first URL hold for its server.
    target:
      staysHere && target.authorization === null
        ? { ...target, authorization: request.target.authorization }
        : target,
    fields,
    body: becomesGet ? null : request.body,
    parts,
    acceptEncoding: request.acceptEncoding,
  };
}

const AMBIGUOUS = new Failure("redirect to more than one URL");
const INVALID_URL = new Failure("redirect to a URL that is not a valid http or https URL");
const NEEDS_BODY = new Failure("redirect needs the body again");
const INSECURE = new Failure("redirect from https to http refused");

/** The TLS options that hold for another server too: neither who we are nor who it is. */
export function withoutIdentity(tls: TlsFields | undefined): TlsFields | undefined {
  if (tls === undefined) return undefined;
  const { cert, key, passphrase, server_name, ...others } = tls;
  return others;
}

/**
 * Octets beyond ASCII as %XX each (RFC 3986, 2.1): what the server named, in whatever charset it may be. Read as text, they
 * would be encoded in UTF-8 and name something else.
 */
function percentEncoded(octets: string): string {
  return octets.replace(/[\x80-\xff]/g, (octet) => `%${octet.charCodeAt(0).toString(16).toUpperCase()}`);
}

function without(fields: readonly Field[], names: ReadonlySet<string>): readonly Field[] {
  return fields.filter(([name]) => !names.has(name.toLowerCase()));
}
