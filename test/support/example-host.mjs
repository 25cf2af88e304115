// Runs one example after another, as programs of their own would run: from the import until nothing keeps the event loop
// alive. A process for each would take ten times as long. What an example prints, throws or leaves behind is told to
// the parent under its name; one that blocks for ever, or ends the process, is ended and named by the parent.
import { pathToFileURL } from "node:url";

let printed;
let report;

for (const name of ["stdout", "stderr"]) {
  process[name].write = (text, ...rest) => {
    if (report === undefined) return true;
    printed[name] += text;
    rest.find((each) => typeof each === "function")?.();
    return true;
  };
}

process.on("message", (file) => {
  printed = { stdout: "", stderr: "" };
  report = { problem: "a top-level await that never ends" };
  process.channel.unref();
  import(pathToFileURL(file)).then(
    () => {
      const left = process.eventNames().find((name) => String(name).startsWith("SIG"));
      report.problem = left === undefined ? undefined : `a listener for ${left} is left behind`;
    },
    (error) => {
      report.problem = String(error?.stack ?? error);
    },
  );
});

process.on("uncaughtException", (error) => {
  printed.stderr += `${error.stack}\n`;
});

// The example is over.
process.on("beforeExit", () => {
  if (report === undefined) return;
  process.channel.ref();
  process.send({ ...printed, ...report });
  report = undefined;
});
