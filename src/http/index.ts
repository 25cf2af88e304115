/**
 * HTTP over blocking streams: what `import { http } from "std-net"` gives.
 */

export { type ReadResponseOptions, read_response, write_request } from "./client/on-stream.ts";
export { type OpenRequest, type OpenResponse, open } from "./client/open.ts";
export { type OpenResponseOptions, open_response } from "./client/open-response.ts";
export { request } from "./client/request.ts";
export { type ManyOptions, request_all } from "./client/request-all.ts";
export { request_each } from "./client/request-each.ts";
export type { ClientRequest } from "./client/request-options.ts";
export type { ClientResponse } from "./client/response.ts";
export { BodyReader } from "./message/body-reader.ts";
export { type OpenRequestHead, type OpenRequestOptions, open_request } from "./server/open-request.ts";
export {
  type ReadRequestOptions,
  read_request,
  type ServerRequest,
} from "./server/read-request.ts";
export { serve } from "./server/serve.ts";
export type { ServeHandler, ServeOptions } from "./server/serve-options.ts";
export { BodyWriter, type StartedResponse, start_response } from "./server/start-response.ts";
export { type ServerResponse, write_response } from "./server/write-response.ts";
export type { ServerSentEvent } from "./wire/event-stream.ts";
export type { OutgoingEvent } from "./wire/event-writer.ts";
export type { Field, Headers } from "./wire/fields.ts";
