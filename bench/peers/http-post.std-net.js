import { http } from "std-net";
import { expect, port, take_commands } from "./commands.js";
import { megabyte } from "./megabyte.js";

const url = `http://127.0.0.1:${port}/echo`;

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    const response = expect(http.request({ method: "POST", url, body: megabyte }));
    if (response.body.length !== megabyte.length) throw new Error("not the echo");
  }
});
