import { isUtf8 } from "node:buffer";
import { isatty } from "node:tty";
import { http, type Json } from "std-net";
import { parse as parseJson, stringify } from "../json.ts";
import { type Command, complain, FAILURE, parse, SUCCESS, seconds, UsageError } from "./command.ts";
import { readInput } from "./input.ts";
import { flush, paintFor, prettyJson } from "./print.ts";

type Fields = { [name: string]: Json };

/** `std-net request`: one http.request, with JSON in and JSON out. */
export const request: Command = {
  name: "request",
  summary: "send an HTTP request and print the response as JSON",
  help: `Usage: std-net request JSON
       std-net request METHOD URL [-H 'name: value']... [-d JSON | --text TEXT]
       std-net request < request.json

Sends one HTTP request and prints the response: status, headers and body, as JSON (on one line, unless
standard output is a terminal). Every integer is kept exact.

  -H, --header 'NAME: VALUE'   a request header; may be repeated, and replaces the header of that name in the JSON
  -d, --data JSON              the body, sent as application/json
      --text TEXT              the body, sent unchanged
      --decode json|text|base64  the form of the response's body (json: parsed if it is JSON, else text)
      --timeout SECONDS        the time for the whole call (300)
      --insecure               do not verify the server's certificate

The JSON may have every field of http.request: method, url, headers, body, timeout_ms, max_redirects, tls ...

Examples:
  std-net request GET https://example.com/
  std-net request POST http://127.0.0.1:8080/orders -d '{"id": 9007199254740993}'
  std-net request '{"method":"GET","url":"https://example.com/","max_redirects":0}'
  std-net request GET http://127.0.0.1:8080/ | jq .body

Exit status: 0 after a response (of any status), 1 without a response or when standard input cannot be read, 2 for wrong
usage.
`,
  async run(args) {
    const response = http.request(await requestFrom(args));
    if (response.isErr) {
      complain(response.error);
      return FAILURE;
    }
    const { stdout } = process;
    stdout.write(`${responseText(response.value as unknown as Json)}\n`);
    await flush(stdout);
    return SUCCESS;
  },
};

type HttpRequest = Parameters<typeof http.request>[0];

async function requestFrom(args: string[]): Promise<HttpRequest> {
  const { values, positionals } = parse(args, {
    header: { type: "string", short: "H", multiple: true, default: [] },
    data: { type: "string", short: "d" },
    text: { type: "string" },
    decode: { type: "string" },
    timeout: { type: "string" },
    insecure: { type: "boolean" },
  });
  const [first, url, extra] = positionals;
  if (extra !== undefined) throw new UsageError(`unexpected argument '${extra}'`);
  const fields = url === undefined ? wholeRequest(first ?? (await inputText())) : { method: first!, url };
  if (values.header.length > 0) fields["headers"] = withHeaders(fields["headers"], values.header);
  if (values.data !== undefined && values.text !== undefined) {
    throw new UsageError("--data and --text cannot both be given");
  }
  if (values.data !== undefined) {
    const body = parseJson(values.data);
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
  const timeout = seconds(values.timeout, "timeout");
  if (timeout !== undefined) fields["timeout_ms"] = timeout;
  if (values.insecure === true)
    fields["tls"] = { ...(isObject(fields["tls"]) && fields["tls"]), insecure: true };
  // http.request checks every field itself.
  return fields as unknown as HttpRequest;
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

function responseText(response: Json): string {
  if (process.stdout.isTTY) return prettyJson(response, paintFor(process.stdout));
  return stringify(response).unwrapOrElse((error) => error);
}
