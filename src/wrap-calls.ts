/**
 * For what stands around every public call: the trace, and the prompt of the command line. Neither has a line in
 * the calls themselves.
 */

/** Called in place of a public call; `name` is such as `TcpStream.connect`, and `proceed` makes the call. */
export type Around = (
  name: string,
  self: unknown,
  args: readonly unknown[],
  proceed: () => unknown,
) => unknown;

type Method = (this: unknown, ...args: unknown[]) => unknown;

// Calls that the library makes within a call go straight through: what counts is what the program asked for.
let depth = 0;

/** A function that does what `call` does, by way of `around`. */
export function wrapCall<F extends (...args: never[]) => unknown>(name: string, call: F, around: Around): F {
  return wrapMethod(() => name, call as unknown as Method, around) as unknown as F;
}

/** Puts `around` around every method of `theClass`, static, own and inherited. A class may be wrapped only once. */
export function wrapClass(theClass: object, around: Around): void {
  // A member that several classes inherit is named after the one that it is called on.
  wrapChain(theClass, Function.prototype, (self) => (self as { name: string }).name, around);
  const { prototype } = theClass as { prototype: object };
  wrapChain(prototype, Object.prototype, (self) => (self as object).constructor.name, around);
}

function wrapChain(first: object, end: object, nameOf: (self: unknown) => string, around: Around): void {
  for (let each = first; each !== end && !wrapped.has(each); each = Object.getPrototypeOf(each)) {
    wrapped.add(each);
    wrapMembers(each, nameOf, around);
  }
}

const wrapped = new WeakSet<object>();

function wrapMembers(holder: object, nameOf: (self: unknown) => string, around: Around): void {
  for (const [member, property] of Object.entries(Object.getOwnPropertyDescriptors(holder))) {
    if (typeof property.value !== "function" || member === "constructor") continue;
    const wrapper = wrapMethod((self) => `${nameOf(self)}.${member}`, property.value, around);
    Object.defineProperty(holder, member, { ...property, value: wrapper });
  }
}

function wrapMethod(nameOf: (self: unknown) => string, method: Method, around: Around): Method {
  const wrapper: Method = function (...args) {
    if (depth > 0) return method.apply(this, args);
    depth++;
    try {
      return around(nameOf(this), this, args, () => method.apply(this, args));
    } finally {
      depth--;
    }
  };
  return Object.defineProperty(wrapper, "name", { value: method.name });
}
