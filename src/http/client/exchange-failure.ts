import { Failure } from "../../error.ts";
import { error_code } from "../../error-code.ts";

/** Why an exchange failed. */
export class ExchangeFailure extends Failure {
  /**
   * Whether the request may be sent again when the connection had been used before, so that the server just closed it
   * meanwhile: nothing of it was sent; or no byte of a response came (RFC 9110, 9.2.2: idempotent methods only); or never,
   * because a response had begun, or the clock or a signal ended the wait.
   */
  readonly retry: "safe" | "if idempotent" | "never";

  constructor(reason: string, retry: ExchangeFailure["retry"] = "never") {
    super(reason);
    this.retry = retry;
  }

  /** Whether a signal ended the exchange: its listener runs when the call comes back, so nothing more is waited for. */
  get isInterruption(): boolean {
    return error_code(this.reason) === "EINTR";
  }
}
