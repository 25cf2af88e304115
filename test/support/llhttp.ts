// The referee: llhttp, the parser of Node's own http server, which has no public API of its own.
import { createRequire } from "node:module";

export interface RefereeMessage {
  url: string;
  status: number;
  version: string;
  /** Names and values in turn, ISO-8859-1. */
  headers: string[];
  body: Buffer;
  complete: boolean;
}

export interface Verdict {
  /** llhttp's error code, or null. */
  error: string | null;
  messages: RefereeMessage[];
}

interface LlhttpParser {
  initialize(type: number, resource: object): void;
  execute(bytes: Buffer): number | (Error & { code: string });
  finish(): undefined | (Error & { code: string });
  [callback: number]: (...values: never[]) => unknown;
}

interface LlhttpClass {
  new (): LlhttpParser;
  REQUEST: number;
  RESPONSE: number;
  kOnHeaders: number;
  kOnHeadersComplete: number;
  kOnBody: number;
  kOnMessageComplete: number;
}

const common: { HTTPParser: LlhttpClass; methods: string[] } = createRequire(import.meta.url)("_http_common");
const { HTTPParser } = common;

/** The methods that llhttp knows; it refuses every other one. */
export const methods = common.methods;

function judge(type: number, bytes: Buffer, pieces: number[]): Verdict {
  const messages: RefereeMessage[] = [];
  const parser = new HTTPParser();
  let headers: string[] = [];
  parser.initialize(type, {});
  parser[HTTPParser.kOnHeaders | 0] = (some: string[]) => {
    headers.push(...some);
  };
  parser[HTTPParser.kOnHeadersComplete | 0] = (
    major: number,
    minor: number,
    some: string[] | undefined,
    _method: number,
    url: string,
    status: number,
  ) => {
    messages.push({
      url,
      status,
      version: `HTTP/${major}.${minor}`,
      headers: [...headers, ...(some ?? [])],
      body: Buffer.alloc(0),
      complete: false,
    });
    headers = [];
    return 0;
  };
  parser[HTTPParser.kOnBody | 0] = (chunk: Buffer) => {
    const message = messages.at(-1);
    if (message) message.body = Buffer.concat([message.body, chunk]);
  };
  parser[HTTPParser.kOnMessageComplete | 0] = () => {
    const message = messages.at(-1);
    if (message) message.complete = true;
    headers = []; // trailers
  };
  let error: string | null = null;
  let at = 0;
  for (const next of [...pieces, bytes.length]) {
    const result = parser.execute(Buffer.from(bytes.subarray(at, next)));
    if (typeof result !== "number") {
      error = result.code;
      break;
    }
    at = next;
  }
  return { error, messages };
}

export function judgeRequest(bytes: Buffer): Verdict {
  return judge(HTTPParser.REQUEST, bytes, []);
}

export function judgeResponse(bytes: Buffer): Verdict {
  return judge(HTTPParser.RESPONSE, bytes, []);
}
