export type { Bytes } from "./bytes.ts";
export { error_code } from "./error.ts";
export { TcpListener, TcpStream } from "./tcp.ts";
export { UdpSocket } from "./udp.ts";
