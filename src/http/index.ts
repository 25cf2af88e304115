/**
 * HTTP over blocking streams: what `import { http } from "std-net"` gives.
 */
export {
  type ReadRequestOptions,
  read_request,
  type ServerRequest,
  type ServerResponse,
  write_response,
} from "./server.ts";
