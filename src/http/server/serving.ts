import type { Transport } from "../../engine/transport.ts";
import type { ByteStream } from "../../net/byte-stream.ts";
import type { Refusal } from "./refusal.ts";
import type { ServedRequest, ServeSettings } from "./serve-options.ts";

/** Between `http.serve` (service.ts) and each of its clients (served-client.ts). */

/** Makes the public object of a connection: the stream that the handler gets. */
export type MakeStream = (transport: Transport) => ByteStream;

/** What serves the clients, as one of them sees it. */
export interface Server<Client> {
  readonly settings: ServeSettings;
  /** The time, as of the present turn. */
  readonly now: number;
  /** Whether no further request is waited for. */
  readonly isStopping: boolean;
  /** Where the bytes of all clients come to, one after the other. */
  readonly window: Buffer;
  /** From now on the client has a turn whenever its socket is ready for this. 0, or minus an errno. */
  wait(client: Client, interest: number): number;
  /** The client has another turn without a wait. */
  again(client: Client): void;
  /** The client's `until` is earlier than it was. */
  noteDeadline(until: number): void;
  /** The client is this server's no longer. Its socket is still open. */
  gone(client: Client): void;
  /** Asks the clock, after code that may have taken long. */
  lookAtClock(): void;
  /** Tells the program of a request that it will not see. */
  refused(refusal: Refusal, stream: () => ByteStream): void;
  /** Tells of an error in the program. */
  report(error: unknown, request: ServedRequest): void;
}
