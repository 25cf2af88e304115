// Answers of a server that lie at a limit, for those who read them: http.request and http.read_response.

/** A head of so many bytes. */
export function padded(size: number): string {
  const head = "HTTP/1.1 204 No Content\r\na: \r\n\r\n";
  return head.replace("a: ", `a: ${"x".repeat(size - head.length)}`);
}

/** A head of so many fields. */
export function fields(count: number): string {
  return `HTTP/1.1 204 No Content\r\n${"a: b\r\n".repeat(count)}\r\n`;
}

/** An answer after so many interim ones. */
export function interim(count: number): string {
  return "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(count) + fields(1);
}

/** The head of an answer whose body is so long. */
export function announced(length: number): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${length}\r\n\r\n`;
}
