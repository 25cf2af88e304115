/** ALPN (RFC 7301): client and server agree on a protocol during the handshake. */
import type { Koffi } from "../sys/koffi.ts";

/** As in openssl.ts: the address of something that OpenSSL owns. */
type Pointer = bigint;

/** The most bytes in a list: the length of the extension is a 16-bit number, and it counts two bytes for the list's own length. */
const LONGEST_LIST = 65533;

/** A caller's list in the form of the wire (RFC 7301, 3.1): each name behind a byte with its length. Null if it is no such list. */
export function protocolList(value: unknown): Buffer | null {
  if (!Array.isArray(value)) return null;
  const parts: Buffer[] = [];
  let total = 0;
  for (const element of value as unknown[]) {
    if (typeof element !== "string") return null;
    const name = Buffer.from(element);
    if (name.length < 1 || name.length > 255) return null;
    parts.push(Buffer.from([name.length]), name);
    total += name.length + 1;
  }
  return total > LONGEST_LIST ? null : Buffer.concat(parts);
}

/** Where in `ours` the first protocol stands that is in `theirs` too; both in the form of the wire; -1 for none. */
export function selectProtocol(ours: Uint8Array, theirs: Uint8Array): number {
  for (let mine = 0; mine < ours.length; mine += ours[mine]! + 1) {
    const name = ours.subarray(mine, mine + ours[mine]! + 1);
    for (let other = 0; other < theirs.length; other += theirs[other]! + 1) {
      if (Buffer.compare(name, theirs.subarray(other, other + theirs[other]! + 1)) === 0) return mine;
    }
  }
  return -1;
}

const SSL_TLSEXT_ERR_OK = 0;
const SSL_TLSEXT_ERR_ALERT_FATAL = 2;

/** The server's choice: see `OpenSsl.selectAlpn`. */
export interface AlpnSelection {
  selectAlpn(context: Pointer, protocols: Uint8Array): void;
  forgetAlpn(context: Pointer): void;
}

/**
 * The one C callback of this library. OpenSSL takes a server's choice in no other way (SSL_CTX_set_alpn_select_cb(3)), and
 * only OpenSSL can send it, because TLS 1.3 encrypts it. koffi runs the callback on the thread that is inside
 * SSL_do_handshake, before that returns: it is a plain nested call. One callback serves all contexts of the thread; its last
 * argument says for which context it is called.
 */
export function alpnSelection(koffi: Koffi, library: ReturnType<Koffi["load"]>): AlpnSelection {
  const setCallback = library.func("void SSL_CTX_set_alpn_select_cb(void *, void *, void *)");
  const lists = new Map<Pointer, Buffer>();

  const select = (
    _ssl: Pointer,
    chosen: Pointer,
    chosenLength: Pointer,
    offer: Pointer,
    offerLength: number,
    context: Pointer,
  ): number => {
    // Nothing may throw in here: koffi would return 0 to OpenSSL, and that is SSL_TLSEXT_ERR_OK.
    try {
      const protocols = lists.get(context)!;
      const place = selectProtocol(protocols, Buffer.from(koffi.decode(offer, "uint8_t", offerLength)));
      if (place < 0) return SSL_TLSEXT_ERR_ALERT_FATAL;
      koffi.encode(chosen, "void *", koffi.address(protocols) + BigInt(place + 1));
      koffi.encode(chosenLength, "uint8_t", protocols[place]);
      return SSL_TLSEXT_ERR_OK;
    } catch {
      return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
  };
  let callback: Pointer | undefined;

  return {
    selectAlpn(context, protocols) {
      const types = ["void *", "void *", "void *", "void *", "unsigned int", "void *"];
      callback ??= koffi.register(select, koffi.pointer(koffi.proto("int", types)));
      // V8 can move a small typed array, so no pointer into it stays valid. The memory of allocUnsafeSlow never moves.
      const list = Buffer.allocUnsafeSlow(protocols.length);
      list.set(protocols);
      lists.set(context, list);
      setCallback(context, callback, context);
    },
    forgetAlpn(context) {
      lists.delete(context);
    },
  };
}
