// node poller-wait.std-net.js PORT IDLE: COUNT times, a byte comes on one connection of IDLE + 1, and wait finds it.
import { Poller, TcpListener, TcpStream } from "std-net";
import { expect, take_commands } from "./commands.js";

const listener = expect(TcpListener.bind("127.0.0.1:0"));
const address = expect(listener.local_addr());
const poller = expect(Poller.create());

function connection() {
  const near = expect(TcpStream.connect(address));
  const far = expect(listener.accept());
  expect(poller.add(near, { readable: true }));
  return [near, far];
}

const idle = Array.from({ length: Number(process.argv[3]) }, connection);
// (They stay alive for as long as the program does.)
globalThis.idle = idle;
const [near, far] = connection();
const byte = Buffer.alloc(1, 1);

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    expect(far.write(byte));
    const events = expect(poller.wait(null));
    if (events.length !== 1 || events[0].socket !== near) throw new Error("not the one that is busy");
    expect(near.read(1));
  }
});
