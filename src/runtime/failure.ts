/**
 * Why something failed: what a function inside the library gives in place of its value. (A function on the way of a byte
 * gives a negative number instead, see Transport, because an object for each would cost too much there.)
 */
export class Failure {
  /** The text behind the prefix: `Connection refused (os error 111)`. */
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}
