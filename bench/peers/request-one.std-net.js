// One request at a time: by `request`, or by `request_all` of a list with one, or with all and a concurrency of 1.
import { http } from "std-net";
import { expect, port, take_commands } from "./commands.js";

const how = process.argv[3];
const request = { method: "GET", url: `http://127.0.0.1:${port}/small` };
const check = (result) => {
  const { status, body } = expect(result);
  if (status !== 200 || body.id !== 42) throw new Error("a bad response");
};

take_commands((count) => {
  if (how === "all") {
    for (const result of http.request_all(Array(count).fill(request), { concurrency: 1 })) check(result);
    return;
  }
  for (let index = 0; index < count; index++) {
    check(how === "alone" ? http.request_all([request])[0] : http.request(request));
  }
});
