export type { Bytes } from "./bytes.ts";
export { error_code } from "./error.ts";
export * as http from "./http/index.ts";
export type { Json } from "./json.ts";
export { TcpListener, TcpStream } from "./tcp.ts";
export type { TlsClientOptions, TlsServerOptions } from "./tls/index.ts";
export { type TlsConnectOptions, TlsStream } from "./tls.ts";
export { UdpSocket } from "./udp.ts";
