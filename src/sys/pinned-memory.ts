import type { Koffi } from "./koffi.ts";

/**
 * The memory of the library's own that bytes go through again and again. It never moves and nobody else can resize or
 * transfer it, so that its address need be asked for only once. 0 is an address that was not asked for yet.
 */
const addresses = new WeakMap<ArrayBufferView, number>();

/** A buffer for bytes on their way: to stay inside the library, for as long as the thread lives or nearly so. */
export function lastingBuffer(length: number): Buffer {
  return lasting(Buffer.allocUnsafeSlow(length));
}

/** Says of a view that it is such memory. */
export function lasting<View extends ArrayBufferView>(view: View): View {
  addresses.set(view, 0);
  return view;
}

/**
 * Gives the function that tells the address of lasting memory, and 0 of all other: a caller's memory can be gone from
 * one call to the next. It remembers the last one, since a program uses the same again and again.
 */
export function addressFinder(koffi: Koffi): (view: ArrayBufferView) => number {
  let last: ArrayBufferView | undefined;
  let lastAddress = 0;
  return (view) => {
    if (view === last) return lastAddress;
    let address = addresses.get(view);
    if (address === undefined) return 0;
    if (address === 0) {
      // (To ask for it also moves a small typed array out of the engine's own heap, for good: there it would be moved about.)
      address = Number(koffi.address(view));
      // User space ends far below 2^53; but some allocators keep a tag in the highest byte, and that no number can hold.
      if (!Number.isSafeInteger(address)) return 0;
      addresses.set(view, address);
    }
    last = view;
    lastAddress = address;
    return address;
  };
}
