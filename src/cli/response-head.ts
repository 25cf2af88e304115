import { STATUS_CODES } from "node:http";
import type { http } from "std-net";

/** The head as it came, without the fields of a coding that the library has undone. */
export function headOf({
  status,
  headers,
  raw_headers = [],
}: Pick<http.OpenResponse, "status" | "headers" | "raw_headers">): Buffer {
  const reason = STATUS_CODES[status] ?? "";
  const fields = raw_headers.filter(([name]) => Object.hasOwn(headers, name.toLowerCase()));
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${reason}\r\n${lines.join("")}\r\n`, "latin1");
}

/** Content-Range (RFC 9110, 14.4). Where only the total is told (416), `first` and `last` are null. */
export interface ContentRange {
  readonly first: number | null;
  readonly last: number | null;
  /** Null where the server does not know it. */
  readonly total: number | null;
}

/** Null for what is no Content-Range of bytes. */
export function contentRangeOf(text: string | undefined): ContentRange | null {
  const parts = /^bytes\s+(?:(\d{1,15})-(\d{1,15})|\*)\/(?:(\d{1,15})|\*)$/i.exec(text?.trim() ?? "");
  if (parts === null) return null;
  const [first = null, last = null, total = null] = parts
    .slice(1)
    .map((digits) => (digits === undefined ? null : Number(digits)));
  if (first !== null && (last! < first || (total !== null && last! >= total))) return null;
  return { first, last, total };
}
