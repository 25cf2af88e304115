/**
 * Waiting for many descriptors at once, level-triggered: the same calls over three mechanisms. Each registration has
 * a token, a number of the caller's that no other one ever had; an event names it. So an event can never be taken for
 * that of another socket that got the same descriptor later.
 */
export interface Selector {
  /** The mechanism's own descriptors; none where it has none. */
  readonly descriptors: readonly number[];
  /** These three give 0, or minus an errno. */
  add(descriptor: number, token: number, interest: number): number;
  modify(descriptor: number, token: number, interest: number, before: number): number;
  /** The descriptor is still open. */
  remove(descriptor: number, interest: number): number;
  /**
   * Waits at most so many milliseconds, as poll(2) takes them (-1: for ever), calls `report` with the token and the
   * flags of each event, no token twice, and gives their number; or minus an errno. A connection that could not be made is WRITABLE
   * or CLOSED.
   */
  wait(milliseconds: number, report: (token: number, flags: number) => void): number;
  close(): void;
}

/** Interest and events, in one set of flags. */
export const READABLE = 1;
export const WRITABLE = 2;
/** The peer has ended its side, or the connection is broken; nobody has to ask for it. */
export const CLOSED = 4;

/** How many events one wait takes from the system; what is left over comes with the next one. */
export const MOST_EVENTS = 1024;
