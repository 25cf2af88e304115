type Listener = (event: string | symbol, listener: unknown) => void;

/**
 * What the copies of this library in one thread have between them. A test runner loads one for each file of tests, and beyond
 * ten listeners of an event Node warns of a leak.
 */
interface Shared {
  readonly tasks: string[];
  readonly listeners: Listener[];
}

const KEY = Symbol.for("std-net: shared by its copies");
const holder = process as typeof process & { [KEY]?: Shared };
if (holder[KEY] === undefined) Object.defineProperty(holder, KEY, { value: { tasks: [], listeners: [] } });
const { tasks, listeners } = holder[KEY] as Shared;

/** For what one copy does for all, since all look into the same shared memory. */
export function onlyOnce(task: string, run: () => void): void {
  if (tasks.includes(task)) return;
  tasks.push(task);
  run();
}

/** The process's event "newListener", of which each copy hears by one listener. */
export function onNewListener(listener: Listener): void {
  listeners.push(listener);
  onlyOnce("newListener", () => {
    process.on("newListener", (event: string | symbol, added: unknown) => {
      for (const each of listeners) each(event, added);
    });
  });
}
