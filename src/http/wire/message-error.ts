/** Why a message is refused: its syntax, or a limit. */
export class MessageError {
  readonly kind: "syntax" | "limit";
  readonly reason: string;

  constructor(kind: "syntax" | "limit", reason: string) {
    this.kind = kind;
    this.reason = reason;
  }
}

export const HEADERS_TOO_LARGE = new MessageError("limit", "http headers too large");
