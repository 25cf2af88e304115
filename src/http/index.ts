/**
 * HTTP over blocking streams: what `import { http } from "std-net"` gives.
 */

export type { ClientResponse } from "./answer.ts";
export { request } from "./client.ts";
export type { Field, Headers } from "./fields.ts";
export { type ReadResponseOptions, read_response, write_request } from "./halves.ts";
export {
  type ReadRequestOptions,
  read_request,
  type ServerRequest,
  type ServerResponse,
  write_response,
} from "./server.ts";
export type { ClientRequest } from "./settings.ts";
