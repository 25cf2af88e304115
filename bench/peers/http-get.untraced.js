import { http } from "../../build/untraced/index.js";
import { expect, port, take_commands } from "./commands.js";

const url = `http://127.0.0.1:${port}/small`;

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    const response = expect(http.request({ method: "GET", url }));
    if (response.status !== 200 || response.body.id !== 42) throw new Error("a bad response");
  }
});
