import type { Watcher } from "../../engine/owned-descriptor.ts";
import { READABLE, WRITABLE } from "../../engine/poll-set.ts";
import type { Socket } from "../../engine/socket.ts";
import { StoppedRead } from "../../engine/stopped-read.ts";
import type { Transport } from "../../engine/transport.ts";
import { Failure } from "../../error.ts";
import { LATE } from "../../json.ts";
import type { ByteStream } from "../../net/byte-stream.ts";
import { ServerHandshake, TlsSession } from "../../tls/index.ts";
import { NO_MORE, RequestReader } from "../message/request-reader.ts";
import { decodeBody } from "../wire/body.ts";
import type { RequestHead } from "../wire/head-parser.ts";
import { beginConversation, Conversation } from "./conversation.ts";
import { sendHandlerResponse } from "./handler-response.ts";
import { LeavingClient } from "./leaving-client.ts";
import {
  canMeetExpectations,
  INTERNAL_ERROR,
  type Refusal,
  refusalFor,
  TOO_LATE,
  TOO_MANY_CLIENTS,
  UNMET_EXPECTATION,
} from "./refusal.ts";
import type { ServedRequest } from "./serve-options.ts";
import type { MakeStream, Server } from "./serving.ts";
import { WindowInput } from "./window-input.ts";
import { respond } from "./write-response.ts";

/**
 * What a client is waited for with:
 *
 * - `handshake`: TLS is not agreed on yet.
 * - `idle`: nothing has come of the next request.
 * - `head`, `body`: a part of the request has come.
 * - `sending`: the response is not out yet; what comes meanwhile stays in the system.
 * - `leaving`: the last response is out, and this side has ended. What still comes is dropped, until the client ends too.
 * - `over`: the client is gone, or has been taken over.
 */
type State = "handshake" | "idle" | "head" | "body" | "sending" | "leaving" | "over";

/** How long an idle client has for a last request when the server stops, in milliseconds: it may be on its way. */
const LAST_CALL = 200;
/** Milliseconds for a body with integers beyond ±(2^53 − 1): an integer of millions of digits would delay the other clients. */
const PARSE_TIME = 500;
/** A client that `http.serve` serves: its connection, and where in their conversation the two are. A turn never waits. */
export class ServedClient implements Watcher {
  readonly socket: Socket;
  readonly token: number;
  /** Whether it is one too many, who is only told so. */
  readonly isSurplus: boolean;
  /** When the present state must be over, on monotonicTime()'s clock. */
  until = Number.POSITIVE_INFINITY;
  /** What it waits for now; 0 before it has waited for the first time. */
  interest = 0;
  readonly #server: Server<ServedClient>;
  readonly #makeStream: MakeStream;
  #state: State = "idle";
  #handshake: ServerHandshake | null = null;
  #transport: Transport;
  #stream: ByteStream | null = null;
  #input!: WindowInput;
  #reader!: RequestReader;
  #conversation!: Conversation;
  /** When the body began to be waited for, and how many bytes had come by then. */
  #bodyBegan = 0;
  #bytesBefore = 0;
  #leaving: LeavingClient | null = null;
  /** Whether a response is the last one, whatever it says. */
  #isRefused = false;

  constructor(
    server: Server<ServedClient>,
    socket: Socket,
    token: number,
    makeStream: MakeStream,
    isSurplus: boolean,
  ) {
    this.#server = server;
    this.#makeStream = makeStream;
    this.socket = socket;
    this.token = token;
    this.isSurplus = isSurplus;
    this.#transport = socket;
    socket.setNonblocking(true);
    socket.watch(this);
  }

  /** The first turn. */
  begin(): void {
    const { settings, now } = this.#server;
    if (settings.tls === null) {
      this.#converse(this.socket);
      return;
    }
    const handshake = ServerHandshake.begin(settings.tls, this.socket);
    if (handshake instanceof Failure) return;
    this.#handshake = handshake;
    this.#state = "handshake";
    this.#endAt(now + settings.requestTimeout);
    this.#shakeHands(handshake);
  }

  /** A turn, because the socket is ready or because there was more to do. */
  goOn(): void {
    switch (this.#state) {
      case "handshake":
        this.#shakeHands(this.#handshake!);
        break;
      case "idle":
      case "head":
      case "body":
        this.#read();
        break;
      case "sending":
        this.#send();
        break;
      case "leaving":
        this.#drop();
        break;
      case "over":
        break;
    }
  }

  /** `until` is past. What has come by now still counts: the program may have been busy. */
  expire(): void {
    this.goOn();
    if (this.#server.now < this.until) return;
    if (this.#state === "head" || this.#state === "body") this.#refuse(TOO_LATE);
    else this.close();
  }

  /** The server stops: an idle client may still have sent a request that is on its way. */
  lastCall(): void {
    if (this.#state === "idle") this.#endAt(Math.min(this.until, this.#server.now + LAST_CALL));
  }

  close(): void {
    if (this.#state === "over") return;
    if (this.#state === "handshake") this.#handshake!.abandon();
    else this.#transport.close();
  }

  /** The socket is about to be closed, by this object or by the handler, or to be given away. */
  beforeEnd(): void {
    if (this.#state === "over") return;
    this.#state = "over";
    this.#server.gone(this);
  }

  maybePending(): void {}

  #endAt(until: number): void {
    this.until = until;
    this.#server.noteDeadline(until);
  }

  /** Ends the turn: the next one comes when the socket is ready. */
  #wait(interest: number): void {
    if (interest !== this.interest && this.#server.wait(this, interest) < 0) this.close();
  }

  #shakeHands(handshake: ServerHandshake): void {
    const result = handshake.goOn();
    if (result === "readable") this.#wait(READABLE);
    else if (result === "writable") this.#wait(WRITABLE);
    else if (!(result instanceof Failure)) this.#converse(result);
  }

  /** From here on requests come, and responses go. */
  #converse(transport: Transport): void {
    const { window, now, settings } = this.#server;
    this.#transport = transport;
    this.#handshake = null;
    this.#input = new WindowInput(transport, window, -this.socket.sys.constants.EAGAIN);
    this.#reader = new RequestReader(transport, this.#input);
    this.#conversation = new Conversation(transport, true);
    this.#conversation.writer.keepsUnsent = true;
    this.#state = "idle";
    if (this.isSurplus) {
      this.#refuse(TOO_MANY_CLIENTS);
    } else {
      this.#endAt(now + settings.idleTimeout);
      this.#read();
    }
  }

  /** Reads on, and responds when the request is whole. */
  #read(): void {
    this.#input.beginTurn();
    const incoming = this.#reader.read(this.#server.settings.read, true, this.#sendContinue);
    if (!(incoming instanceof Failure)) {
      this.#respond(incoming.head, incoming.body);
    } else if (incoming instanceof StoppedRead && incoming.wouldBlock) {
      this.#awaitRest();
    } else if (incoming instanceof StoppedRead || incoming.reason === NO_MORE.reason) {
      // The connection is broken; or the client has ended it between two requests, as clients do.
      this.close();
    } else {
      this.#refuse(refusalFor(incoming.reason));
    }
  }

  /** Tells a client that waits for it to send the body, unless it is to be refused. */
  readonly #sendContinue = (deadline: number): number => {
    const { head } = this.#reader;
    if (head === undefined || canMeetExpectations(head)) return this.#conversation.sendContinue(deadline);
    return -this.socket.sys.constants.EAGAIN;
  };

  /** The request is not whole. */
  #awaitRest(): void {
    const { now, settings } = this.#server;
    const reader = this.#reader;
    const input = this.#input;
    input.leaveWindow();
    if (reader.head !== undefined) {
      if (!canMeetExpectations(reader.head)) {
        this.#refuse(UNMET_EXPECTATION);
        return;
      }
      if (this.#state !== "body") {
        this.#state = "body";
        this.#bodyBegan = now;
        this.#bytesBefore = input.received;
      }
      // Each byte of a body adds a millisecond to the time for it.
      const added = input.received - this.#bytesBefore;
      this.#endAt(this.#bodyBegan + settings.requestTimeout + added);
    } else if (!reader.isIdle && this.#state !== "head") {
      this.#state = "head";
      this.#endAt(now + settings.requestTimeout);
    }
    if (input.isTurnOver || this.#transport.pending() > 0) this.#server.again(this);
    this.#wait(this.#conversation.writer.restLength > 0 ? READABLE | WRITABLE : READABLE);
  }

  #respond(head: RequestHead, bytes: Buffer): void {
    const { settings, isStopping, now } = this.#server;
    const conversation = this.#conversation;
    conversation.received(head);
    if (isStopping) conversation.endWithResponse();
    if (!canMeetExpectations(head)) {
      this.#refuse(UNMET_EXPECTATION);
      return;
    }
    const body = decodeBody(bytes, settings.read.decoding, now + PARSE_TIME);
    if (body === undefined) {
      this.#refuse(refusalFor("request body is not utf-8"));
    } else if (body === LATE) {
      this.#refuse(refusalFor("request body takes too long to parse"));
    } else {
      const { method, path, query, version, headers } = head;
      const request: ServedRequest = { method, path, query, version, headers, body };
      if (settings.read.keepFields) request.raw_headers = [...head.fields];
      this.#handle(request);
    }
  }

  /** Has the handler respond. The stream is the handler's for so long: blocking, and with all bytes that have come. */
  #handle(request: ServedRequest): void {
    const server = this.#server;
    const transport = this.#transport;
    const { writer } = this.#conversation;
    const stream = this.#publicStream();
    this.#input.lend();
    transport.setNonblocking(false);
    writer.keepsUnsent = false;
    let response: unknown;
    let thrown: { readonly error: unknown } | null = null;
    try {
      response = server.settings.handler(request, stream);
    } catch (error) {
      thrown = { error };
    }
    server.lookAtClock();
    if (this.#state === "over" || !transport.open) {
      if (thrown !== null) server.report(thrown.error, request);
      return;
    }
    if (thrown === null && response === null) {
      this.#afterTakeOver(request);
      return;
    }
    this.#own();
    if (thrown !== null) this.#fail(thrown.error, request);
    else this.#sendResponse(response, request);
  }

  /** The stream as the program gets it. */
  readonly #publicStream = (): ByteStream => {
    if (this.#stream === null) {
      this.#stream = this.#makeStream(this.#transport);
      beginConversation(this.#transport, this.#conversation);
    }
    return this.#stream;
  };

  #sendResponse(response: unknown, request: ServedRequest): void {
    const outcome = sendHandlerResponse(this.#conversation, response);
    if (typeof outcome !== "number") this.#fail(outcome.error, request);
    else if (this.#conversation.owesResponse) this.close();
    else this.#afterSend(outcome);
  }

  /** The program has made a mistake with this request. */
  #fail(error: unknown, request: ServedRequest): void {
    this.#server.report(error, request);
    const { owesResponse, isStreaming } = this.#conversation;
    if (this.#state === "over") return;
    // A part of a response is out: only the end of the connection tells the client that it is not whole.
    if (!owesResponse || isStreaming) this.close();
    else this.#refuse(INTERNAL_ERROR);
  }

  /** The handler has responded itself, and the next request can come; or it has taken the stream over for good. */
  #afterTakeOver(request: ServedRequest): void {
    const { owesResponse, isStreaming, hasFailed, writer } = this.#conversation;
    if (hasFailed) {
      // The client is gone, and the handler has seen it. A stream that nobody closes stays open while no event loop turns.
      this.close();
    } else if (owesResponse || isStreaming || writer.restLength > 0 || request.method === "CONNECT") {
      this.#state = "over";
      this.#server.gone(this);
      this.socket.unwatch(this);
    } else {
      this.#own();
      this.#afterResponse();
    }
  }

  /** The stream is this object's again. */
  #own(): void {
    this.#transport.setNonblocking(true);
    this.#conversation.writer.keepsUnsent = true;
  }

  /** Responds in the handler's place, and ends the connection. */
  #refuse(refusal: Refusal): void {
    const { status, reason } = refusal;
    this.#isRefused = true;
    if (refusal !== INTERNAL_ERROR) this.#server.refused(refusal, this.#publicStream);
    if (this.#state === "over") return;
    const response = { status, headers: { connection: "close" }, body: { error: reason } };
    const outcome = respond(this.#conversation, response);
    if (outcome instanceof Failure) this.close();
    else this.#afterSend(outcome);
  }

  /** After a response was sent: 0, or the transport's failure. */
  #afterSend(failure: number): void {
    if (failure === 0) {
      this.#afterResponse();
    } else if (this.#conversation.writer.restLength > 0 && this.#transport.wouldBlock(failure)) {
      this.#state = "sending";
      this.#endAt(this.#server.now + this.#server.settings.idleTimeout);
      this.#wait(WRITABLE);
    } else {
      this.close();
    }
  }

  #send(): void {
    const { writer } = this.#conversation;
    const before = writer.restLength;
    const failure = writer.finish();
    // The client has taken nothing, and its time goes on.
    if (failure < 0 && writer.restLength === before && this.#transport.wouldBlock(failure)) return;
    this.#afterSend(failure);
  }

  /** The response is out. */
  #afterResponse(): void {
    const { now, settings, isStopping } = this.#server;
    const input = this.#input;
    if (this.#isRefused || this.#conversation.hasEnded || isStopping) {
      this.#leave();
      return;
    }
    input.takeBack();
    input.leaveWindow();
    this.#state = "idle";
    this.#endAt(now + settings.idleTimeout);
    if (!input.isEmpty || this.#transport.pending() > 0) this.#server.again(this);
    this.#wait(READABLE);
  }

  /**
   * Ends this side of the connection, and hears the client out: a close with unread bytes resets the connection, and the client
   * loses the response that it has not read yet (RFC 9112, 9.6).
   */
  #leave(): void {
    const transport = this.#transport;
    const { isOver } = this.#conversation;
    const isQuiet = this.#input.isEmpty && this.#input.hadRoom && transport.pending() === 0;
    // A client that has said so sends no more.
    if (isOver && isQuiet && !this.#isRefused) {
      this.close();
      return;
    }
    if (transport instanceof TlsSession) transport.endSending();
    else this.socket.shutdown("write");
    this.#state = "leaving";
    this.#leaving = new LeavingClient(this.socket, this.#server.now);
    this.#drop();
  }

  #drop(): void {
    const until = this.#leaving!.drop(this.#server.now);
    if (until === null) this.close();
    else {
      this.#endAt(until);
      this.#wait(READABLE);
    }
  }
}
