export type { Bytes } from "./bytes.ts";
export { error_code } from "./error.ts";
export * as http from "./http/index.ts";
export type { Json } from "./json.ts";
export { TcpListener, TcpStream } from "./tcp.ts";
export { UdpSocket } from "./udp.ts";
