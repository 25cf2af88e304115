// The same with a handler of its own in place of `request` and its stream: undici's quickest form.
import { readFileSync } from "node:fs";
import { Pool } from "undici";
import { port, take_commands } from "./commands.js";

const connections = Number(process.argv[3]);
const [, , , , certificate] = process.argv;
const connect = certificate ? { connect: { ca: readFileSync(certificate, "utf8") } } : {};
const pool = new Pool(`${certificate ? "https" : "http"}://127.0.0.1:${port}`, { connections, ...connect });

take_commands(
  (count) =>
    new Promise((resolve, reject) => {
      let left = count;
      let open = 0;
      const next = () => {
        if (left === 0) {
          if (open === 0) resolve();
          return;
        }
        left--;
        open++;
        let status = 0;
        const parts = [];
        pool.dispatch(
          { method: "GET", path: "/small" },
          {
            onRequestStart() {},
            onResponseStart(_controller, statusCode) {
              status = statusCode;
            },
            onResponseData(_controller, part) {
              parts.push(part);
            },
            onResponseEnd() {
              const text = (parts.length === 1 ? parts[0] : Buffer.concat(parts)).toString();
              if (status !== 200 || JSON.parse(text).id !== 42) reject(new Error("a bad response"));
              open--;
              next();
            },
            onResponseError(_controller, error) {
              reject(error);
            },
          },
        );
      };
      for (let index = 0; index < Math.min(connections, count); index++) next();
    }),
);
