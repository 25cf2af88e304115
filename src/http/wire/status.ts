/** What a status code says about its response. (Which ones send a client elsewhere: client/redirect.ts.) Pure. */

/** Responses without content: RFC 9110, 15.3.5, 15.3.6 and 15.4.5. */
const NO_CONTENT = new Set([204, 205, 304]);

/** Whether a server sends a body with this status, in response to this method (RFC 9112, 6.3, rules 1 and 2). */
export function hasContent(status: number, method: string): boolean {
  if (status < 200 || NO_CONTENT.has(status)) return false;
  return method !== "HEAD" && !opensTunnel(status, method);
}

/** A 2xx in response to CONNECT: what follows it belongs to the tunnel (RFC 9110, 9.3.6). */
export function opensTunnel(status: number, method: string): boolean {
  return method === "CONNECT" && status >= 200 && status < 300;
}

/** Reason phrases of RFC 9110, 15, and of the IANA registry of status codes. */
export const REASONS: { readonly [status: number]: string } = {
  100: "Continue",
  101: "Switching Protocols",
  102: "Processing",
  103: "Early Hints",
  200: "OK",
  201: "Created",
  202: "Accepted",
  203: "Non-Authoritative Information",
  204: "No Content",
  205: "Reset Content",
  206: "Partial Content",
  207: "Multi-Status",
  208: "Already Reported",
  226: "IM Used",
  300: "Multiple Choices",
  301: "Moved Permanently",
  302: "Found",
  303: "See Other",
  304: "Not Modified",
  305: "Use Proxy",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  406: "Not Acceptable",
  407: "Proxy Authentication Required",
  408: "Request Timeout",
  409: "Conflict",
  410: "Gone",
  411: "Length Required",
  412: "Precondition Failed",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  416: "Range Not Satisfiable",
  417: "Expectation Failed",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  423: "Locked",
  424: "Failed Dependency",
  425: "Too Early",
  426: "Upgrade Required",
  428: "Precondition Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  451: "Unavailable For Legal Reasons",
  500: "Internal Server Error",
  501: "Not Implemented",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  506: "Variant Also Negotiates",
  507: "Insufficient Storage",
  508: "Loop Detected",
  511: "Network Authentication Required",
};
