import type { OpenSsl, Pointer } from "./openssl.ts";
import { X509_V_OK } from "./openssl.ts";

/**
 * The text of the oldest error in OpenSSL's queue (the others are what its callers made of it), or `otherwise` when
 * it is empty. Leaves the queue empty: what stays in it would surface in node:crypto.
 */
export function takeReason(ssl: OpenSsl, otherwise: string): string {
  const error = ssl.ERR_get_error();
  ssl.ERR_clear_error();
  if (Number(error) === 0) return otherwise;
  const reason = ssl.ERR_reason_error_string(error);
  if (reason === null) {
    // As OpenSSL itself prints it: 1000 and more is an alert whose number it does not know (RFC 8446, 6).
    const number = Number(BigInt(error) & REASON_MASK);
    return `${ssl.ERR_lib_error_string(error) ?? otherwise}: reason(${number})`;
  }
  return reason === "unexpected eof while reading" ? UNEXPECTED_EOF : reason;
}

/** ERR_GET_REASON(3). */
const REASON_MASK = 0x7f_ffffn;

/** The end of the connection without the close_notify alert (RFC 8446, 6.1): somebody could have cut it. */
export const UNEXPECTED_EOF = "unexpected eof";

/**
 * Why a handshake failed. A refused certificate says what is wrong with it: X509_verify_cert_error_string(3). That it was
 * refused is the newest error then; a signature that does not fit, or an extension that cannot be read, leaves others before.
 */
export function handshakeReason(ssl: OpenSsl, connection: Pointer, otherwise: string): string {
  const newest = ssl.ERR_reason_error_string(ssl.ERR_peek_last_error());
  const reason = takeReason(ssl, otherwise);
  if (newest !== REFUSED) return reason;
  const verdict = ssl.SSL_get_verify_result(connection);
  return verdict === X509_V_OK ? reason : `${REFUSED}: ${ssl.X509_verify_cert_error_string(verdict)}`;
}

const REFUSED = "certificate verify failed";
