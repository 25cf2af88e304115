/**
 * Names that other libraries give to what has another name here: those of fetch, undici, axios, got, request, node:http, jQuery, and
 * Python's requests and httpx; and our own in camel case. Such a field would change nothing, and nobody would see that. Any other unknown
 * field passes, so that data with more fields does.
 */
import { Failure } from "../../error.ts";

type Names = ReadonlyMap<string, string>;
/** What to use here, and what that is called elsewhere. */
type Group = readonly [advice: string, names: readonly string[]];

function namesFrom(groups: readonly Group[]): Names {
  return new Map(groups.flatMap(([advice, names]) => names.map((name) => [name, advice] as const)));
}

const ANY_BODY = "use 'body' for JSON, 'body_text' for text or 'body_bytes' for bytes";
const BODY: readonly Group[] = [
  ["use 'body'", ["json", "jsonBody", "json_body"]],
  [ANY_BODY, ["data", "content", "payload"]],
  ["use 'body_text'", ["text", "bodyText"]],
  ["use 'body_bytes'", ["bodyBytes"]],
  ["use 'body_base64'", ["bodyBase64"]],
];

const READING: readonly Group[] = [
  [
    "use 'timeout_ms', in milliseconds",
    ["timeout", "timeoutMs", "timeoutMS", "timeout_s", "headersTimeout", "requestTimeout"],
  ],
  [
    "use 'read_timeout_ms' with http.open, in milliseconds",
    ["bodyTimeout", "readTimeout", "readTimeoutMs", "read_timeout"],
  ],
  [
    "use 'max_body_bytes'",
    [
      "maxBodyBytes",
      "maxBodySize",
      "max_body_size",
      "maxContentLength",
      "maxBodyLength",
      "maxResponseSize",
      "bodyLimit",
    ],
  ],
  ["use 'max_header_bytes'", ["maxHeaderBytes", "maxHeaderSize", "max_header_size"]],
  ["use 'max_headers'", ["maxHeaders", "maxHeadersCount"]],
  ["use 'decode_body'", ["decodeBody", "responseType", "response_type", "encoding"]],
  ["use 'raw_headers'", ["rawHeaders"]],
];

/** Of a client's request. */
export const REQUEST_NAMES: Names = namesFrom([
  ...BODY,
  ...READING,
  ["use 'connect_timeout_ms', in milliseconds", ["connectTimeout", "connectTimeoutMs", "connect_timeout"]],
  ["there is none in a call that blocks: use 'timeout_ms'", ["signal", "cancelToken"]],
  ["put the query into 'url'", ["params", "query", "searchParams", "search_params", "qs"]],
  ["use 'url'", ["uri"]],
  ["put the whole URL into 'url'", ["baseURL", "baseUrl", "base_url", "prefixUrl"]],
  ["use 'headers'", ["header", "httpHeaders"]],
  ["use 'headers': { cookie: ... }", ["cookies", "cookieJar", "jar"]],
  [
    "use 'headers': { authorization: ... }, or a user and password in 'url'",
    ["auth", "username", "password"],
  ],
  ["use 'body_text' with String(new URLSearchParams(...)) and its content-type in 'headers'", ["form"]],
  [
    "use 'body_bytes' with the form encoded, and its content-type in 'headers'",
    ["formData", "form_data", "files", "multipart"],
  ],
  ["use 'body_parts'", ["bodyParts"]],
  ["use 'body_length'", ["bodyLength"]],
  [
    "use 'max_redirects' (0 follows none)",
    [
      "followRedirect",
      "followRedirects",
      "follow_redirect",
      "follow_redirects",
      "followAllRedirects",
      "allow_redirects",
      "redirect",
      "follow",
      "maxRedirects",
      "maxRedirections",
      "max_redirections",
    ],
  ],
  ["use 'tls': { insecure: true }", ["rejectUnauthorized", "strictSSL", "verify", "insecure"]],
  [
    "use 'tls': { ca, cert, key, ... }",
    ["ca", "cert", "pfx", "passphrase", "https", "httpsOptions", "tlsOptions"],
  ],
  ["use 'tls': { server_name: ... }", ["servername", "serverName", "server_name"]],
  [
    "connections are kept without one: 'keep_alive', 'proxy' and 'tls' say how",
    ["agent", "httpAgent", "httpsAgent", "dispatcher"],
  ],
  ["use 'keep_alive'", ["keepAlive", "keepalive", "forever"]],
  ["use 'proxy'", ["proxies", "proxyUrl", "proxyURL", "proxy_url"]],
  ["use 'socket_path'", ["socketPath", "unixSocket", "unix_socket"]],
  ["use 'headers': { 'accept-encoding': 'identity' } for a response as it is", ["decompress", "gzip"]],
]);

/** Of a server's response. */
export const RESPONSE_NAMES: Names = namesFrom([
  ...BODY,
  ["use 'status'", ["statusCode", "status_code"]],
  ["use 'headers'", ["header"]],
  ["use 'headers': { 'content-type': ... }", ["contentType", "content_type", "mimetype"]],
]);

/** Of the options of what reads a message. */
export const OPTION_NAMES: Names = namesFrom(READING);

/** What a field of a caller's object is called here, if its name is another library's; null where none is. */
export function foreignName(
  given: { readonly [key: string]: unknown },
  names: Names,
  kind: "field" | "option",
): Failure | null {
  for (const name in given) {
    const advice = names.get(name);
    if (advice !== undefined && given[name] !== undefined)
      return new Failure(`unknown ${kind} '${name}': ${advice}`);
  }
  return null;
}
