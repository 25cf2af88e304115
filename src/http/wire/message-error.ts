import { Failure } from "../../error.ts";

/** Why a message is refused: its syntax, or a limit. */
export class MessageError extends Failure {
  readonly kind: "syntax" | "limit";

  constructor(kind: "syntax" | "limit", reason: string) {
    super(reason);
    this.kind = kind;
  }
}

export const HEADERS_TOO_LARGE = new MessageError("limit", "http headers too large");
/** Its reason goes behind the kind of the message: `response body too large`. */
export const BODY_TOO_LARGE = new MessageError("limit", "body too large");
