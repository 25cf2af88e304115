import type { KnownNames } from "../../engine/connect.ts";
import type { Lookups } from "../../engine/lookups.ts";
import type { Socket } from "../../engine/socket.ts";
import type { Failure } from "../../error.ts";
import type { Connection } from "./connection.ts";
import type { Want } from "./exchange.ts";

/** What calls have in common that are made one after the other. */
export interface Turns {
  /** When they end at the latest, whatever their own limits. */
  readonly deadline: number;
  /** The names that were looked up. */
  readonly names: KnownNames;
}

/**
 * What a call that never waits needs of who drives it (batch.ts). The driver calls `advance` of the call again when one of its sockets
 * is ready, when `wakeAt` has come, and after `wake`.
 */
export interface Waits {
  /** Who drives it: the pool gives its connections to nobody else. */
  readonly holder: object;
  /** When the call ends at the latest, whatever its own limit. */
  readonly deadline: number;
  readonly lookups: Lookups;
  /** From now on the call wakes up when the socket is this. 0, or minus an errno. */
  watch(socket: Socket, want: Want): number;
  /** No longer. The socket is still open. */
  unwatch(socket: Socket): void;
  /** Takes a connection over, which is in non-blocking mode from now on. */
  hold(connection: Connection): void;
  /** Whether the call is to wait until another one is over, and then to begin anew: because there was no descriptor left. */
  waitsForDescriptor(failure: Failure): boolean;
  /** The call can go on. */
  wake(): void;
}
