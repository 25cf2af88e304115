// Streams the time to any number of clients as server-sent events. A client that connects again with Last-Event-ID misses nothing.
//   npm run example events-server [ADDRESS] [MILLISECONDS]
//   curl -N http://127.0.0.1:8080/
import { error_code, http, TcpListener, type TcpStream } from "std-net";

const [address = "127.0.0.1:8080", interval = "1000"] = process.argv.slice(2);
const MOST_KEPT = 100;

const listener = TcpListener.bind(address).unwrap();
console.log(`events on http://${listener.local_addr().unwrap()}/`);

interface Event {
  id: number;
  data: string;
}

const kept: Event[] = [];
const writers = new Map<http.BodyWriter, TcpStream>();
let lastId = 0;

for (let next = Date.now() + Number(interval); ; next += Number(interval)) {
  welcomeUntil(next);
  const event = { id: ++lastId, data: JSON.stringify({ tick: lastId, time: new Date().toISOString() }) };
  kept.push(event);
  if (kept.length > MOST_KEPT) kept.shift();
  for (const writer of writers.keys()) send(writer, event);
}

/** Takes clients until it is time for the next event. */
function welcomeUntil(end: number): void {
  for (let left = end - Date.now(); left > 0; left = end - Date.now()) {
    listener.set_accept_timeout(left).unwrap();
    const accepted = listener.accept();
    if (accepted.isOk) welcome(accepted.value);
    else if (error_code(accepted.error) !== "EAGAIN") throw new Error(accepted.error);
  }
}

function welcome(stream: TcpStream): void {
  // A client that sends nothing must not keep the others waiting.
  const request = http.read_request(stream, { timeout_ms: 200 });
  const headers = { "content-type": "text/event-stream", "cache-control": "no-store" };
  const started = request.isOk ? http.start_response(stream, { status: 200, headers }) : request;
  // Nor must one that reads nothing: in non-blocking mode its full buffer is an error.
  if (started.isErr || request.isErr || stream.set_nonblocking(true).isErr) {
    stream.close();
    return;
  }
  writers.set(started.value as http.BodyWriter, stream);
  const since = Number(request.value.headers["last-event-id"] ?? lastId);
  for (const event of kept) if (event.id > since) send(started.value as http.BodyWriter, event);
}

function send(writer: http.BodyWriter, { id, data }: Event): void {
  if (!writers.has(writer) || writer.send_event({ id: String(id), event: "tick", data }).isOk) return;
  // It has gone, or is too slow.
  writer.close();
  writers.delete(writer);
}
