/**
 * Objects of which JSON would keep nothing, or something that nobody expects: a Map becomes `{}`, and a Buffer
 * `{"type":"Buffer","data":[...]}`.
 */

const VIEWS = ["Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array"]
  .concat(["Uint32Array", "Float16Array", "Float32Array", "Float64Array", "BigInt64Array", "BigUint64Array"])
  .concat(["DataView", "ArrayBuffer", "SharedArrayBuffer"]);
const BYTES = new Set(VIEWS);
const OTHERS = [
  "Map",
  "Set",
  "Blob",
  "File",
  "FormData",
  "URLSearchParams",
  "Headers",
  "Promise",
  "ReadableStream",
];
const UNFIT = new Set([...VIEWS, ...OTHERS, "Generator", "AsyncGenerator"]);

/**
 * The name of such an object's class, else null. Classes are known by their Symbol.toStringTag, because a polyfill or another realm
 * (Jest, node:vm) has classes of its own. An object with a toJSON of its own says itself what it becomes.
 */
export function unfitForJson(value: object): string | null {
  const tag = (value as { [Symbol.toStringTag]?: unknown })[Symbol.toStringTag];
  if (typeof tag !== "string" || !UNFIT.has(tag)) return null;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === "function" && toJSON !== Buffer.prototype.toJSON) return null;
  return Buffer.isBuffer(value) ? "Buffer" : tag;
}

/** Whether a class of that name holds bytes. */
export function holdsBytes(name: string): boolean {
  return name === "Buffer" || BYTES.has(name);
}
