// What undoes the file in one call, with nothing of HTTP.
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { take_commands } from "./commands.js";

const [path, length, file] = process.argv.slice(3);
const times = Number(path.split("/").at(-1));
const coded = readFileSync(file);

take_commands((count) => {
  for (let i = 0; i < count * times; i++) {
    if (gunzipSync(coded).length * times !== Number(length)) throw new Error("not the file");
  }
});
