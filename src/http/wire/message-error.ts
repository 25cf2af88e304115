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
/** Which limit that is, only the reader's caller knows: see `refusal`. */
export const BODY_TOO_LARGE = new MessageError("limit", "body too large");

/** What a caller is told of a response with more than `most` bytes. */
export function responseTooLarge(most: number): string {
  return `response body too large (more than ${most} bytes: 'max_body_bytes' sets the limit)`;
}
