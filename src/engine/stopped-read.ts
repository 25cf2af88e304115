import { Failure } from "../error.ts";
import type { Transport } from "./transport.ts";

/** Why a read of several parts stopped before it had all of them. */
export class StoppedRead extends Failure {
  /** Whether it would have had to wait. Then the bytes so far may be too few a second time: see `HeldBytes.tooFew`. */
  readonly wouldBlock: boolean;

  constructor(reason: string, wouldBlock = false) {
    super(reason);
    this.wouldBlock = wouldBlock;
  }

  /** Stopped by a failure of the transport. */
  static by(transport: Transport, failure: number): StoppedRead {
    return new StoppedRead(transport.reason(failure), transport.wouldBlock(failure));
  }
}
