// What the JSON of such an exchange costs when nothing is sent at all.
import { take_commands } from "./commands.js";
import { megabyte } from "./megabyte.js";

take_commands((count) => {
  for (let i = 0; i < count; i++) {
    const echo = JSON.parse(JSON.stringify(megabyte));
    if (echo.length !== megabyte.length) throw new Error("not the echo");
  }
});
