/**
 * Server-sent events (WHATWG HTML, 9.2.5 and 9.2.6: "Parsing an event stream", "Interpreting an event stream"). Pure.
 */

import { isAscii } from "node:buffer";

/**
 * An event of a server's stream, as `BodyReader.events` gives it.
 *
 * @example
 * ```ts
 * import { http, UnixStream } from "std-net";
 *
 * const [client, server] = UnixStream.pair().unwrap();
 * http.start_response(server, { status: 200 }).unwrap().send_event({ data: "hello", id: "7" }).unwrap();
 * for (const result of http.open_response(client).unwrap().body.events()) {
 *   const { event, data, id }: http.ServerSentEvent = result.unwrap();
 *   console.log(event, data, id); // message hello 7
 *   break;
 * }
 * ```
 */
export interface ServerSentEvent {
  /** The event's type: `"message"` where the server names none. */
  event: string;
  /** The data lines, joined with line feeds. */
  data: string;
  /** The last id that the server gave, with this event or an earlier one: `""` where it gave none. It goes into `Last-Event-ID`. */
  id: string;
  /** How many milliseconds the server wants a client to wait before it connects again, where it said so since the last event. */
  retry: number | null;
}

const LF = 0x0a;
const CR = 0x0d;
const COLON = 0x3a;
const SPACE = 0x20;

/**
 * Finds one event after another in bytes that arrive in pieces. It keeps none of them: what is no whole event yet must be there
 * again in the next call, with more behind it.
 */
export class EventParser {
  /** The event that the last call of `parse` found. */
  event: ServerSentEvent | null = null;
  #lastId = "";
  #retry: number | null = null;
  #isFirst = true;
  /** The last line ended with a CR, behind which nothing had come: an LF there belongs to it. */
  #skipsLf = false;
  /** Counted from the first byte that was not used: where the last line begins, and how far its end was looked for. */
  #line = 0;
  #searched = 0;
  /**
   * The bytes as text, from `#textStart` on, where they are ASCII without any CR, as in most streams: to search it and to cut it takes
   * a third of the time. Null: there is none.
   */
  #text: string | null = null;
  #textStart = 0;

  /** Looks at all bytes again: some of those that were looked at may have been used otherwise. */
  restart(): void {
    this.#line = 0;
    this.#searched = 0;
    this.#text = null;
  }

  /**
   * Reads from `start` to the end of the next event, or as far as there are only comments and empty lines. Gives how many bytes it
   * has used; -1: the event, or a comment, has more than `limit` bytes.
   */
  parse(bytes: Buffer, start: number, end: number, limit: number): number {
    this.event = null;
    if (this.#text === null && this.#searched === 0 && !this.#skipsLf && !this.#isFirst) {
      const all = bytes.subarray(start, end);
      if (isAscii(all) && !all.includes(CR)) {
        this.#text = all.toString("latin1");
        this.#textStart = 0;
      }
    }
    return this.#text === null
      ? this.#parseBytes(bytes, start, end, limit)
      : this.#parseText(this.#text, this.#textStart, limit);
  }

  #parseText(text: string, start: number, limit: number): number {
    let block = start;
    let line = start;
    for (;;) {
      const lineEnd = text.indexOf("\n", line);
      if ((lineEnd < 0 ? text.length : lineEnd) - block > limit) return -1;
      if (lineEnd < 0) break;
      const next = lineEnd + 1;
      const isEmpty = lineEnd === line;
      if (isEmpty && line > block) {
        this.#read(text, block, line);
        if (this.event !== null) {
          this.#textStart = next;
          return next - start;
        }
      }
      if (isEmpty || (line === block && text.charCodeAt(line) === COLON)) block = next;
      line = next;
    }
    // What comes behind it is not in the text.
    this.#text = null;
    this.#line = line - block;
    this.#searched = text.length - block;
    return block - start;
  }

  #parseBytes(bytes: Buffer, start: number, end: number, limit: number): number {
    let block = this.#skipMarks(bytes, start, end);
    let line = block + this.#line;
    let at = block + this.#searched;
    for (;;) {
      while (at < end && bytes[at] !== LF && bytes[at] !== CR) at++;
      if (at - block > limit) return -1;
      const isEmpty = at === line;
      const isComment = line === block && bytes[line] === COLON;
      // A CR that is the last byte ends its line for sure, but only an empty line or a comment can be done with now.
      const isOpen = at === end || (at + 1 === end && bytes[at] === CR && !isEmpty && !isComment);
      if (isOpen) break;
      const lineEnd = at;
      at++;
      if (bytes[lineEnd] === CR) {
        if (at === end) this.#skipsLf = true;
        else if (bytes[at] === LF) at++;
      }
      if (isEmpty && line > block) {
        const text = bytes.toString("utf8", block, lineEnd).replace(/\r\n?/g, "\n");
        this.#read(text, 0, text.length);
      }
      if (isEmpty || isComment) block = at;
      line = at;
      if (this.event !== null) break;
    }
    this.#line = line - block;
    this.#searched = at - block;
    return block - start;
  }

  /** Passes over the LF of the line before, and the byte order mark of the stream. */
  #skipMarks(bytes: Buffer, start: number, end: number): number {
    let at = start;
    if (this.#skipsLf && at < end) {
      this.#skipsLf = false;
      if (bytes[at] === LF) at++;
    }
    if (this.#isFirst && end - at >= 3) {
      this.#isFirst = false;
      if (bytes[at] === 0xef && bytes[at + 1] === 0xbb && bytes[at + 2] === 0xbf) {
        this.#searched = 0;
        return at + 3;
      }
    }
    return at;
  }

  /** Reads the lines of one event, each of which ends with an LF. */
  #read(text: string, start: number, end: number): void {
    let type = "";
    let data: string | null = null;
    for (let line = start, next = 0; line < end; line = next) {
      const lineEnd = text.indexOf("\n", line);
      next = lineEnd + 1;
      const valueAt = (length: number): number =>
        line + length + (text.charCodeAt(line + length) === SPACE ? 1 : 0);
      if (text.startsWith("data:", line)) {
        const value = text.slice(valueAt(5), lineEnd);
        data = data === null ? value : `${data}\n${value}`;
        continue;
      }
      const whole = text.slice(line, lineEnd);
      const colon = whole.indexOf(":");
      const value = colon < 0 ? "" : text.slice(valueAt(colon + 1), lineEnd);
      switch (colon < 0 ? whole : whole.slice(0, colon)) {
        case "data":
          data = data === null ? value : `${data}\n${value}`;
          break;
        case "event":
          type = value;
          break;
        case "id":
          if (!value.includes("\0")) this.#lastId = value;
          break;
        case "retry":
          if (/^[0-9]+$/.test(value)) this.#retry = Number(value);
          break;
      }
    }
    // Without data it is no event, but its id and its retry count.
    if (data === null) return;
    this.event = { event: type === "" ? "message" : type, data, id: this.#lastId, retry: this.#retry };
    this.#retry = null;
  }
}
