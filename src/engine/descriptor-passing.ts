import { Failure } from "../error.ts";
import { systemReason } from "../sys/index.ts";
import { END_OF_STREAM, NO_DESCRIPTOR, type PeerCredentials } from "../sys/platform.ts";
import type { Socket } from "./socket.ts";
import { notSupported } from "./socket-address.ts";
import { FOREVER } from "./wait/slices.ts";

export type { PeerCredentials } from "../sys/platform.ts";

/** Descriptors over a Unix stream, and who its peer is (unix(7)). */

const LARGEST_DESCRIPTOR = 0x7fffffff;

/** Sends one byte with a descriptor: null, or why not. */
export function sendDescriptor(socket: Socket, carried: number): Failure | null {
  const { sys, descriptor } = socket;
  if (!sys.behaviour.unixCarriesDescriptors) return notSupported(sys);
  if (carried < 0 || carried > LARGEST_DESCRIPTOR) return new Failure(systemReason(sys, sys.constants.EBADF));
  const count = socket.sendBy((flags) => sys.sendDescriptor(descriptor, carried, flags), FOREVER);
  return count < 0 ? new Failure(socket.reason(count)) : null;
}

/** Receives one byte, and the descriptor that came with it. */
export function receiveDescriptor(socket: Socket): number | Failure {
  const { sys, descriptor } = socket;
  if (!sys.behaviour.unixCarriesDescriptors) return notSupported(sys);
  // A descriptor comes with its byte. These bytes were read before, so theirs are gone.
  if (socket.pending() > 0) return new Failure("bytes that a failed read gave back are still to be read");
  const received = socket.receiveBy((flags) => sys.receiveDescriptor(descriptor, flags));
  if (received === END_OF_STREAM) return new Failure("end of stream before a descriptor");
  if (received === NO_DESCRIPTOR) return new Failure("the next byte came without a descriptor");
  return received < 0 ? new Failure(socket.reason(received)) : received;
}

export function peerCredentials({ sys, descriptor }: Socket): PeerCredentials | Failure {
  if (!sys.behaviour.unixCarriesDescriptors) return notSupported(sys);
  return sys.peerCredentials(descriptor) ?? new Failure(systemReason(sys, sys.errno()));
}
