import { Failure } from "../error.ts";
import { systemReason } from "../sys/index.ts";
import { listens } from "./peer.ts";
import { networkPlatform } from "./permission.ts";
import { Socket } from "./socket.ts";
import { socketFamily } from "./socket-address.ts";

/** What a descriptor has to be. */
export interface Shape {
  readonly what: string;
  readonly families: readonly Family[];
  readonly type: "stream" | "datagram";
  readonly listening: boolean;
}

type Family = "AF_INET" | "AF_INET6" | "AF_UNIX";

const LARGEST_DESCRIPTOR = 0x7fffffff;

/** Takes over a descriptor that is an open socket of this shape. One that is not stays with the caller, as it was. */
export function adopted(descriptor: number, shape: Shape): Socket | Failure {
  const sys = networkPlatform();
  if (sys instanceof Failure) return sys;
  if (descriptor < 0 || descriptor > LARGEST_DESCRIPTOR) {
    return new Failure(systemReason(sys, sys.constants.EBADF));
  }
  const socket = Socket.adopt(sys, descriptor);
  if (typeof socket === "number") return new Failure(systemReason(sys, -socket));
  if (socket === null) return new Failure("the descriptor belongs to another open object of std-net");
  if (fits(socket, shape)) return socket;
  socket.release();
  return new Failure(`not a ${shape.what}`);
}

function fits(socket: Socket, { families, type, listening }: Shape): boolean {
  const { constants } = socket.sys;
  const { SOL_SOCKET, SO_TYPE, SOCK_STREAM, SOCK_DGRAM } = constants;
  const family = socketFamily(socket);
  if (!families.some((name) => constants[name] === family)) return false;
  if (socket.getOption(SOL_SOCKET, SO_TYPE) !== (type === "stream" ? SOCK_STREAM : SOCK_DGRAM)) return false;
  return type === "datagram" || listens(socket.sys, socket.descriptor) === listening;
}
