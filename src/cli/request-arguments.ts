import { isUtf8 } from "node:buffer";
import { isatty } from "node:tty";
import type { http, Json } from "std-net";
import { parse as parseJson } from "../json.ts";
import { type Options, parse, seconds, UsageError } from "./command.ts";
import { readInput } from "./input.ts";
import { isMethod, urlFrom } from "./request-url.ts";
import { readFile, tlsFrom, tlsOptions } from "./tls-files.ts";

type HttpRequest = http.OpenRequest;
type Fields = { [name: string]: Json };

export const requestOptions = {
  request: {
    type: "string",
    short: "X",
    values: ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"],
  },
  header: { type: "string", short: "H", multiple: true, default: [] },
  data: { type: "string", short: "d", multiple: true, default: [] },
  "data-binary": { type: "string", multiple: true, default: [] },
  json: { type: "string" },
  text: { type: "string" },
  output: { type: "string", short: "o", values: "file" },
  resume: { type: "boolean", default: false },
  include: { type: "boolean", short: "i", default: false },
  parallel: { type: "string" },
  lines: { type: "boolean", default: false },
  location: { type: "boolean", short: "L", default: false },
  fail: { type: "boolean", short: "f", default: false },
  compressed: { type: "boolean", default: false },
  decode: { type: "string", values: ["json", "text", "base64"] },
  timeout: { type: "string" },
  ...tlsOptions,
  proxy: { type: "string", short: "x" },
  "unix-socket": { type: "string", values: "file" },
} as const satisfies Options;

type Values = ReturnType<typeof parse<typeof requestOptions>>["values"];

/** What the command line asks for. */
export interface Order {
  readonly request: HttpRequest;
  /** The URLs that the request is sent to, if there are several. */
  readonly urls: readonly string[];
  /** How many are sent at once. */
  readonly parallel: number;
  /** What becomes of the response: JSON, its body as it comes, or line by line, or a file. */
  readonly form: "json" | "body" | "lines" | { readonly file: string };
  /** Whether the file is continued. */
  readonly resume: boolean;
  /** Whether the head comes before the body. */
  readonly include: boolean;
  /** Whether a status of 400 or more is a failure. */
  readonly fail: boolean;
}

/**
 * There are two ways to write a request. `METHOD URL` and JSON are http.request as it is: JSON in and JSON out. A URL alone is what
 * curl makes of it.
 */
export async function orderFrom(args: string[]): Promise<Order> {
  const { values, positionals } = parse(args, requestOptions);
  // (What is no URL alone takes no third argument, and says so.)
  const isUrlAlone = positionals.length > 0 && isUrl(positionals[0]!);
  const urls = isUrlAlone ? positionals.map(urlFrom) : [];
  const fields = isUrlAlone
    ? likeCurl(positionals[0]!, values)
    : likeHttpRequest(await given(positionals), values);
  addShared(fields, values);
  const form = formOf(values, isUrlAlone);
  const { include, fail, resume } = values;
  if (resume) checkResumable(fields, values, form);
  // In one piece with its size, and with no compressor that holds a part back.
  if (form !== "json" && !values.compressed && !hasHeader(fields["headers"], "accept-encoding")) {
    addHeader(fields, "accept-encoding", "identity");
  }
  // http.request and http.open check every field themselves.
  const request = fields as unknown as HttpRequest;
  if (form !== "json") {
    request.raw_headers = true;
    request.read_timeout_ms = request.timeout_ms ?? READ_TIME;
  }
  const parallel = parallelFrom(values.parallel, form);
  return { request, urls, parallel, form, resume, include, fail };
}

/** Milliseconds, as in http.open. */
const READ_TIME = 300_000;

/** More connections at once help nobody, and each is a thread. */
const MOST_PARALLEL = 64;

function parallelFrom(text: string | undefined, form: Order["form"]): number {
  if (text === undefined) return 1;
  const count = Number(text);
  if (!/^\d+$/.test(text) || count < 1 || count > MOST_PARALLEL) {
    throw new UsageError(`--parallel wants a number from 1 to ${MOST_PARALLEL}, not '${text}'`);
  }
  if (form === "json") throw new UsageError("--parallel is for several URLs, each alone: URL URL...");
  return count;
}

function formOf(values: Values, isUrlAlone: boolean): Order["form"] {
  const { output, lines, include } = values;
  if (output === "") throw new UsageError("--output wants a file name, or - for standard output");
  if (output !== undefined && output !== "-") {
    if (lines) throw new UsageError("--lines prints the body and --output saves it: give one of them");
    return { file: output };
  }
  if (lines) return "lines";
  return isUrlAlone || include || output === "-" ? "body" : "json";
}

/** Whether what an earlier run has saved can be the beginning of what this one gets. */
function checkResumable(fields: Fields, values: Values, form: Order["form"]): void {
  if (typeof form !== "object") throw new UsageError("--resume continues the file of --output: add -o FILE");
  if (fields["method"] !== "GET") throw new UsageError("--resume is for a GET alone (RFC 9110, 14.2)");
  if (hasHeader(fields["headers"], "range") || hasHeader(fields["headers"], "if-range")) {
    throw new UsageError("--resume sets Range and If-Range itself: leave these headers out");
  }
  if (values.include || values.compressed) {
    throw new UsageError("--resume continues the body itself: leave out --include and --compressed");
  }
}

/** Whether the only argument is a URL: JSON begins with a bracket, and a method alone lacks its URL. */
function isUrl(text: string): boolean {
  return !/^\s*(?:[[{]|$)/.test(text) && !isMethod(text);
}

async function given([first, url, extra]: readonly string[]): Promise<Fields> {
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`);
  if (url !== undefined) return { method: first!, url: urlFrom(url) };
  return wholeRequest(first ?? (await inputText()));
}

function likeHttpRequest(fields: Fields, values: Values): Fields {
  if (values.request !== undefined) {
    throw new UsageError("--request is for a URL alone: METHOD URL and JSON have their method");
  }
  if (values.header.length > 0) fields["headers"] = withHeaders(fields["headers"], values.header);
  const [data, second] = values.data.length > 0 ? values.data : [values.json];
  if (second !== undefined || (values.data.length > 0 && values.json !== undefined)) {
    throw new UsageError("--data is JSON here and can be given once; for a form, write the URL alone and -X");
  }
  if (data !== undefined && values.text !== undefined) {
    throw new UsageError("--data and --text cannot both be given");
  }
  if (values["data-binary"].length > 0)
    throw new UsageError("--data-binary is for a URL alone: write -X METHOD URL");
  if (data !== undefined) {
    const body = parseJson(data);
    if (body === undefined) throw new UsageError("--data wants JSON; for any other text there is --text");
    fields["body"] = body;
  }
  if (values.text !== undefined) fields["body_text"] = values.text;
  if (values.decode !== undefined) {
    if (!["json", "text", "base64"].includes(values.decode)) {
      throw new UsageError(`--decode wants json, text or base64, not '${values.decode}'`);
    }
    fields["decode_body"] = values.decode;
  }
  if (fields["decode_body"] === "bytes") {
    throw new UsageError("bytes cannot be printed as JSON: there is base64");
  }
  return fields;
}

function likeCurl(url: string, values: Values): Fields {
  if (values.decode !== undefined) {
    throw new UsageError("--decode is for the output as JSON: write METHOD URL");
  }
  const body = curlBody(values);
  const method = values.request ?? (body === null ? "GET" : "POST");
  const fields: Fields = { method, url: urlFrom(url), headers: withHeaders({}, values.header) };
  if (body !== null) {
    fields["body_base64"] = body.bytes.toString("base64");
    if (body.type !== null && !hasHeader(fields["headers"], "content-type"))
      addHeader(fields, "content-type", body.type);
  }
  if (!values.location) fields["max_redirects"] = 0;
  return fields;
}

const FORM = "application/x-www-form-urlencoded";

function curlBody(values: Values): { bytes: Buffer; type: string | null } | null {
  const parts = [
    ...values.data.map((text) => dataFrom(text, true)),
    ...values["data-binary"].map((text) => dataFrom(text, false)),
  ];
  const kinds = [parts.length > 0, values.json !== undefined, values.text !== undefined];
  if (kinds.filter(Boolean).length > 1)
    throw new UsageError("--data, --json and --text: only one can be given");
  if (values.json !== undefined) return { bytes: dataFrom(values.json, false), type: "application/json" };
  if (values.text !== undefined) return { bytes: Buffer.from(values.text), type: null };
  if (parts.length === 0) return null;
  const joined = parts.flatMap((part, at) => (at === 0 ? [part] : [Buffer.from("&"), part]));
  return { bytes: Buffer.concat(joined), type: FORM };
}

/** The text, or with an @ what the file has (`@-`: standard input). --data leaves out line ends and NUL then (curl(1)). */
function dataFrom(text: string, withoutLineEnds: boolean): Buffer {
  if (!text.startsWith("@")) return Buffer.from(text);
  const bytes = text === "@-" ? readFile(0, "standard input") : readFile(text.slice(1), text.slice(1));
  return withoutLineEnds
    ? (bytes.filter((byte) => byte !== 0x0a && byte !== 0x0d && byte !== 0) as Buffer)
    : bytes;
}

/** The options that both ways share. */
function addShared(fields: Fields, values: Values): void {
  const timeout = seconds(values.timeout, "timeout");
  if (timeout !== undefined) fields["timeout_ms"] = timeout;
  if (values.proxy !== undefined) fields["proxy"] = proxyFrom(values.proxy);
  if (values["unix-socket"] !== undefined) fields["socket_path"] = values["unix-socket"];
  const given: Fields = isObject(fields["tls"]) ? fields["tls"] : {};
  const tls: Fields = { ...given, ...tlsFrom(values), ...(values.insecure && { insecure: true }) };
  if (Object.keys(tls).length > 0) fields["tls"] = tls;
}

/** curl takes a proxy without its scheme; "" is none, also where the environment names one. */
function proxyFrom(text: string): string | null {
  if (text === "") return null;
  const url = text.includes("://") ? text : `http://${text}`;
  if (!url.startsWith("http://")) {
    throw new UsageError(
      "--proxy wants an http proxy, such as http://127.0.0.1:3128; others are not supported",
    );
  }
  return url;
}

function isObject(value: Json | undefined): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
function wholeRequest(text: string): Fields {
  if (text.trim() === "") throw new UsageError("missing request");
  // Some editors and shells put a byte order mark first.
  const value = parseJson(text.replace(/^\ufeff/, ""));
  if (value === undefined) {
    throw new UsageError(
      /^[A-Za-z]+$/.test(text.trim())
        ? `missing URL after '${text.trim()}'`
        : "the request is not valid JSON",
    );
  }
  if (!isObject(value)) throw new UsageError("the request must be a JSON object");
  return value;
}

async function inputText(): Promise<string> {
  if (isatty(0)) return "";
  const bytes = await readInput();
  // Otherwise wrong bytes would be sent as U+FFFD without a warning.
  if (!isUtf8(bytes)) throw new UsageError("the request is not UTF-8");
  return bytes.toString();
}

/** The headers of the JSON and of the command line. Several headers of one name make a list (RFC 9110, 5.3). */
function withHeaders(given: Json | undefined, lines: readonly string[]): Json {
  // http.request reports what is not an object.
  if (given !== undefined && !isObject(given)) return given;
  const typed = new Map<string, [name: string, value: string]>();
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon <= 0) throw new UsageError(`--header wants 'name: value', not '${line}'`);
    const [name, value] = [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
    const key = name.toLowerCase();
    const previous = typed.get(key);
    if (previous === undefined) typed.set(key, [name, value]);
    else previous[1] += (key === "cookie" ? "; " : ", ") + value;
  }
  const others = Object.entries(given ?? {}).filter(([name]) => !typed.has(name.toLowerCase()));
  // (fromEntries makes own keys, of `__proto__` too.)
  return Object.fromEntries([...others, ...typed.values()]);
}

function hasHeader(headers: Json | undefined, name: string): boolean {
  return isObject(headers) && Object.keys(headers).some((key) => key.toLowerCase() === name);
}

function addHeader(fields: Fields, name: string, value: string): void {
  fields["headers"] = { ...(isObject(fields["headers"]) ? fields["headers"] : {}), [name]: value };
}
