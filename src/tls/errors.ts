import type { OpenSsl, Pointer } from "./openssl.ts";
import { X509_V_OK } from "./openssl.ts";

/**
 * The text of the oldest error in OpenSSL's queue, or `otherwise` when the queue is empty. (The other errors are what the
 * callers within OpenSSL made of the oldest.) Leaves the queue empty, because node:crypto would report what stays in it.
 */
export function takeReason(ssl: OpenSsl, otherwise: string): string {
  const error = ssl.ERR_get_error();
  ssl.ERR_clear_error();
  if (Number(error) === 0) return otherwise;
  const reason = ssl.ERR_reason_error_string(error);
  if (reason === null) {
    // In the form in which OpenSSL prints it. 1000 and more is an alert with a number that OpenSSL does not know (RFC 8446, 6).
    const number = Number(BigInt(error) & REASON_MASK);
    return `${ssl.ERR_lib_error_string(error) ?? otherwise}: reason(${number})`;
  }
  return reason === "unexpected eof while reading" ? UNEXPECTED_EOF : reason;
}

/** ERR_GET_REASON(3). */
const REASON_MASK = 0x7f_ffffn;

/** The connection ended without the close_notify alert (RFC 8446, 6.1), so an attacker may have cut it. */
export const UNEXPECTED_EOF = "unexpected eof";

/**
 * Why a handshake failed. For a refused certificate it says what is wrong with it: X509_verify_cert_error_string(3). The
 * refusal is the newest error in the queue. A wrong signature, or an extension that cannot be read, leaves older ones.
 */
export function handshakeReason(ssl: OpenSsl, connection: Pointer, otherwise: string): string {
  const newest = ssl.ERR_reason_error_string(ssl.ERR_peek_last_error());
  const reason = takeReason(ssl, otherwise);
  if (newest !== REFUSED) return reason;
  const verdict = ssl.SSL_get_verify_result(connection);
  return verdict === X509_V_OK ? reason : `${REFUSED}: ${ssl.X509_verify_cert_error_string(verdict)}`;
}

const REFUSED = "certificate verify failed";
