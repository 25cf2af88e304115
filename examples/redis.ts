// A Redis client: the protocol RESP2 (redis.io/docs/reference/protocol-spec) in straight lines.
//   npm run example redis ADDRESS COMMAND [ARGUMENT ...]
//   npm run example redis 127.0.0.1:6379 SET greeting hello
import { TcpStream } from "std-net";

type Reply = string | number | null | Reply[];

class Redis {
  readonly #stream: TcpStream;

  constructor(address: string) {
    this.#stream = TcpStream.connect_timeout(address, 3000).unwrap();
    this.#stream.set_nodelay(true).unwrap();
    this.#stream.set_read_timeout(10_000).unwrap();
  }

  /** A command is an array of strings, each with its length in front. */
  command(...words: string[]): Reply {
    const parts = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    this.#stream.write_all(`*${words.length}\r\n${parts.join("")}`).unwrap();
    return this.#reply();
  }

  /** A reply is a line, and what the line announces. */
  #reply(): Reply {
    const line = this.#stream.read_until("\r\n").unwrap().toString().trimEnd();
    const rest = line.slice(1);
    switch (line[0]) {
      case "+":
        return rest;
      case "-":
        throw new Error(rest);
      case ":":
        return Number(rest);
      case "$":
        if (rest === "-1") return null;
        return this.#stream
          .read_exact(Number(rest) + 2)
          .unwrap()
          .toString("utf8", 0, Number(rest));
      case "*":
        return rest === "-1" ? null : Array.from({ length: Number(rest) }, () => this.#reply());
      default:
        throw new Error(`not a reply: ${line}`);
    }
  }
}

const [address = "127.0.0.1:6379", ...words] = process.argv.slice(2);
try {
  console.log(new Redis(address).command(...(words.length > 0 ? words : ["PING"])));
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
