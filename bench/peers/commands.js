// The loop of every JavaScript peer: takes "run COUNT" from standard input and prints the nanoseconds that
// `operations(count)` took, be it a blocking function or an async one; or those that it has counted and returns.
import { createInterface } from "node:readline";

export async function take_commands(operations) {
  const lines = createInterface({ input: process.stdin });
  console.log("ready");
  for await (const line of lines) {
    const count = Number(line.split(" ")[1]);
    const start = process.hrtime.bigint();
    const counted = await operations(count);
    console.log(String(counted ?? process.hrtime.bigint() - start));
  }
}

/** The value of a Result, or the end of the program: a benchmark has nothing to do with an error. */
export function expect(result) {
  if (result.isErr) throw new Error(result.error);
  return result.value;
}

export const port = Number(process.argv[2]);

/** How a transfer to the server's sink, or from its source, begins: its length in eight bytes. */
export function length_of(bytes) {
  return new Uint8Array(new BigUint64Array([BigInt(bytes)]).buffer);
}

/** How a server tells the harness that clients may come. */
export function announce(address) {
  console.log(`listening ${address.slice(address.lastIndexOf(":") + 1)}`);
}
