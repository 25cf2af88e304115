// The hand-over of a connection: it begins blocking, goes to Node's own net.Socket and its event loop, and comes back.
// Nothing that the peer sends is lost on the way. The peer is a blocking worker thread.
//   npm run example handover
import { once } from "node:events";
import { Socket } from "node:net";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import { TcpListener, TcpStream } from "std-net";

if (isMainThread) await main();
else peer(workerData as string);

/** Sends nine lines, three after each line that it gets. */
function peer(address: string): void {
  const stream = TcpStream.connect(address).unwrap();
  for (let line = 1; line <= 9; line++) {
    stream.write_all(`line ${line}\n`).unwrap();
    if (line % 3 === 0) stream.read_until("\n").unwrap();
  }
  stream.close();
}

async function main(): Promise<void> {
  const listener = TcpListener.bind("127.0.0.1:0").unwrap();
  new Worker(new URL(import.meta.url), { workerData: listener.local_addr().unwrap() });
  const stream = listener.accept().unwrap();
  listener.close();
  console.log("blocking:    ", stream.read_until("\n").unwrap().toString().trim());

  // There: the descriptor goes to Node, which puts it into non-blocking mode and closes it in the end.
  const socket = new Socket({ fd: stream.into_fd().unwrap() });
  socket.write("on with it, says net.Socket\n");
  let text = "";
  while (!text.includes("line 4\n")) {
    const piece = socket.read();
    if (piece === null) await once(socket, "readable");
    else text += piece;
  }

  // Back: Node is told to stop reading, and gives what it has read ahead.
  const handle = (socket as Socket & { _handle: { fd: number; readStop(): number } })._handle;
  handle.readStop();
  text += socket.read() ?? "";
  // Node goes on owning its descriptor, so a second one is taken, and the first left to Node.
  const lent = TcpStream.from_fd(handle.fd).unwrap();
  const back = lent.try_clone().unwrap();
  lent.into_fd().unwrap();
  socket.destroy();
  await once(socket, "close");

  back.set_nonblocking(false).unwrap();
  if (!text.endsWith("\n")) text += back.read_until("\n").unwrap();
  for (const line of text.trim().split("\n")) console.log("event loop:  ", line);
  back.write_all("and on, says TcpStream\n").unwrap();
  for (;;) {
    const line = back.read_until("\n");
    if (line.isErr) break;
    console.log("blocking:    ", line.value.toString().trim());
    if (String(line.value) === "line 9\n") back.write_all("that is all\n").unwrap();
  }
  back.close();
}
