import { Failure } from "../error.ts";
import { error_code } from "../error-code.ts";
import type { Platform } from "../sys/index.ts";
import {
  judged,
  LONGEST_NAME,
  lookedUp,
  lookUpHere,
  numericOrName,
  shortageOf,
  withPort,
} from "./resolve.ts";

/** How many lookups go on at once: glibc has as many threads for getaddrinfo_a(3) (its gai_misc.c). */
const MOST_AT_ONCE = 20;

type Found = Buffer[] | Failure;

interface Name {
  readonly host: string;
  attempts: number;
  handle: bigint | null;
  found: Found | null;
  readonly waiting: ((found: Found) => void)[];
}

/**
 * The lookups of many connections. Each name is looked up once, and several at the same time where the system has lookups that go on
 * by themselves. There nothing here waits.
 */
export class Lookups {
  readonly #sys: Platform;
  readonly #names = new Map<string, Name>();
  #underWay: Name[] = [];
  readonly #queue: Name[] = [];

  constructor(sys: Platform) {
    this.#sys = sys;
  }

  /** Whether `poll` is to be called now and then. */
  get isPending(): boolean {
    return this.#underWay.length > 0;
  }

  /** Calls `done` with the addresses of "host:port" text, or with why there are none: at once, or from `poll`. */
  find(text: string, done: (found: Found) => void): void {
    const parsed = numericOrName(this.#sys, text);
    if (parsed instanceof Failure || Array.isArray(parsed)) {
      done(parsed);
      return;
    }
    const { host, port } = parsed;
    const report = (found: Found): void => done(found instanceof Failure ? found : withPort(found, port));
    const known = this.#names.get(host);
    if (known === undefined) {
      const name: Name = { host, attempts: 0, handle: null, found: null, waiting: [report] };
      this.#names.set(host, name);
      this.#queue.push(name);
      this.#startNext();
    } else if (known.found === null) {
      known.waiting.push(report);
    } else {
      report(known.found);
    }
  }

  /** Tells of the results that are there by now. */
  poll(): void {
    const { lookup } = this.#sys;
    const over = this.#underWay.filter(({ handle }) => lookup!.wait(handle!, 0));
    if (over.length === 0) return;
    this.#underWay = this.#underWay.filter((name) => !over.includes(name));
    for (const name of over) this.#conclude(name, lookup!.finish(name.handle!, 0));
    this.#startNext();
  }

  /** Gives up those that are under way. */
  close(): void {
    for (const { handle } of this.#underWay) this.#sys.lookup!.abandon(handle!);
    this.#underWay = [];
    this.#queue.length = 0;
  }

  #startNext(): void {
    while (this.#queue.length > 0 && this.#underWay.length < MOST_AT_ONCE) this.#start(this.#queue.shift()!);
  }

  #start(name: Name): void {
    const { host } = name;
    const { SOCK_STREAM, EAI_NONAME } = this.#sys.constants;
    name.attempts++;
    if (host.length > LONGEST_NAME) {
      this.#conclude(name, EAI_NONAME);
      return;
    }
    // Without a descriptor the resolver cannot even read its configuration: it would ask servers that may not be there, and wait.
    const shortage = shortageOf(this.#sys);
    if (shortage !== null) {
      this.#conclude(name, shortage);
      return;
    }
    name.handle = this.#sys.lookup?.start(host, SOCK_STREAM) ?? null;
    if (name.handle === null) this.#conclude(name, lookUpHere(this.#sys, host, 0, SOCK_STREAM));
    else this.#underWay.push(name);
  }

  #conclude(name: Name, found: Buffer[] | number | Failure): void {
    const result = judged(this.#sys, found, name.attempts);
    if (result === null) {
      this.#queue.push(name);
      return;
    }
    name.found = lookedUp(this.#sys, result);
    // Without a descriptor nothing was looked up. There may be one later.
    if (name.found instanceof Failure && isShortage(name.found)) this.#names.delete(name.host);
    for (const report of name.waiting.splice(0)) report(name.found);
  }
}

/** Whether it failed because there was no descriptor left. */
export function isShortage({ reason }: Failure): boolean {
  const code = error_code(reason);
  return code === "EMFILE" || code === "ENFILE";
}
