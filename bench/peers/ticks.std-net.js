// How long events are under way: the data of each is when it was sent, on the clock that all processes share (CLOCK_MONOTONIC).
import { http } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const headers = { accept: "text/event-stream" };

take_commands((count) => {
  let sum = 0n;
  const { body } = expect(
    http.open({ method: "GET", url: `http://127.0.0.1:${port}/ticks/${count}`, headers }),
  );
  for (const event of body.events()) sum += process.hrtime.bigint() - BigInt(expect(event).data);
  return sum;
});
