import { mkdirSync } from "node:fs";
import { constants } from "node:os";
import { basename, join } from "node:path";
import { http, type Json } from "std-net";
import { stringify } from "../json.ts";
import { type Command, complain, FAILURE, failure, SUCCESS } from "./command.ts";
import { save } from "./download.ts";
import { fileNamesOf } from "./file-names.ts";
import { LineOutput, type Output, plainOutput, TerminalOutput } from "./output.ts";
import { printBodies } from "./parallel-bodies.ts";
import { ParallelDownloads } from "./parallel-downloads.ts";
import { flush, paintFor, prettyJson } from "./print.ts";
import { countFor, progressFor } from "./progress.ts";
import { type Order, orderFrom, requestOptions } from "./request-arguments.ts";
import { headOf } from "./response-head.ts";
import { withRemedy } from "./tls-files.ts";

/** `std-net request`: one request, as http.request has it (JSON in and JSON out) or as curl does. */
export const request: Command = {
  name: "request",
  summary: "send an HTTP request and print the response, as JSON or as curl does",
  help: `Usage: std-net request URL... [-X METHOD] [-d DATA]...       prints the body
       std-net request METHOD URL [-d JSON | --text TEXT]    prints the response as JSON
       std-net request JSON                                  the same; or the JSON on standard input

With a URL alone it does what curl does: a GET, or with -d a POST of a form; the body is printed as it arrives, and no
redirect is followed without -L. http:// may be left out for localhost: localhost:8080/path, or :8080/path.

  -X, --request METHOD         the method
  -d, --data DATA              the body, as application/x-www-form-urlencoded; several are joined by &; @FILE is what a
                               file has without its line ends, and @- standard input
      --data-binary DATA       the same with all bytes of the file
      --json DATA              the body, as application/json
  -L, --location               follow redirects
      --compressed             let the server compress the body

With METHOD URL or JSON, the response is printed as JSON: status, headers and body (on one line, unless standard output is
a terminal). Every integer is kept exact. Redirects are followed. The JSON may have every field of http.request: method,
url, headers, body, timeout_ms, max_redirects, tls ...

  -d, --data JSON              the body, sent as application/json
      --decode json|text|base64  the form of the response's body (json: parsed if it is JSON, else text)

With each of them:

  -o, --output FILE            save the body in a file, with a bar on a terminal that shows how far it is
                               FOLDER/, and always with several URLs: in a folder, under the names that the URLs have
      --parallel N             with several URLs: so many at once, at most 64 (1); bodies are printed whole, in the order
                               of the URLs
      --resume                 continue a file that an earlier run has left incomplete
      --lines                  print the body line by line, each as soon as it has come (an event stream's too)
  -H, --header 'NAME: VALUE'   a request header; may be repeated, and replaces the header of that name in the JSON
      --text TEXT              the body, sent unchanged
  -i, --include                print the response's head and then the body, as they are
  -f, --fail                   a status of 400 or more is a failure, and its body is not printed
      --timeout SECONDS        the time for the whole call; of a body that is printed as it arrives, the time for the
                               head and for each silence (300)
      --ca FILE                trust these certificates (PEM) and no others
      --cert FILE              the client's certificate (PEM), and its key if it is in the same file
      --key FILE               the private key of the certificate (PEM)
  -k, --insecure               do not verify the server's certificate
  -x, --proxy URL              use this http proxy, such as http://user:password@127.0.0.1:3128; "" is none
      --unix-socket PATH       connect to this Unix socket in place of the URL's host

Examples:
  std-net request https://example.com/
  std-net request localhost:8080/orders -d name=you -d @rest.txt
  std-net request -L -o image.iso --resume https://example.com/image.iso
  std-net request -o pictures/ --parallel 4 https://example.com/1.png https://example.com/2.png
  std-net request --lines localhost:8080/events
  std-net request GET https://example.com/
  std-net request POST http://127.0.0.1:8080/orders -d '{"id": 9007199254740993}'
  std-net request '{"method":"GET","url":"https://example.com/","max_redirects":0}'
  std-net request GET http://127.0.0.1:8080/ | jq .body

Exit status: 0 after a response (of any status, without --fail), 1 without a response or when it or standard input cannot
be read to its end, 2 for wrong usage.
`,
  options: requestOptions,
  async run(args) {
    const order = await orderFrom(args);
    const { form } = order;
    if (form === "json") return await printJson(order);
    if (typeof form === "object") {
      const isFolder = order.urls.length > 1 || /[/\\]$/.test(form.file);
      return isFolder ? await saveAll(order, form.file) : await saveBody(order, form.file);
    }
    if (order.urls.length > 1 && order.parallel > 1) return printBodies(order);
    let status = SUCCESS;
    for (const url of order.urls.length > 1 ? order.urls : [order.request.url]) {
      status = Math.max(status, printBody({ ...order, request: { ...order.request, url } }));
    }
    return status;
  },
};

async function printJson({ request, fail }: Order): Promise<number> {
  const response = http.request(request);
  if (response.isErr) return failure(withRemedy(response.error));
  if (fail && response.value.status >= 400)
    return failure(`the response's status is ${response.value.status}`);
  const { stdout } = process;
  stdout.write(`${responseText(response.value as unknown as Json)}\n`);
  await flush(stdout);
  return SUCCESS;
}

function responseText(response: Json): string {
  if (process.stdout.isTTY) return prettyJson(response, paintFor(process.stdout));
  return stringify(response).unwrapOrElse((error) => error);
}

/** Prints the body piece by piece, each as soon as it has come. */
function printBody({ request, form, include, fail }: Order): number {
  const opened = http.open(request);
  if (opened.isErr) return failure(withRemedy(opened.error));
  using body = opened.value.body;
  if (fail && opened.value.status >= 400) return failure(`the response's status is ${opened.value.status}`);
  const plain: Output = process.stdout.isTTY ? new TerminalOutput(process.stdout) : plainOutput;
  const output = form === "lines" ? new LineOutput(plain) : plain;
  let end = include ? output.write(headOf(opened.value)) : null;
  while (end === null) {
    const bytes = body.read(PIECE);
    if (bytes.isErr) {
      output.finish();
      return failure(bytes.error);
    }
    if (bytes.value.length === 0) break;
    end = output.write(bytes.value);
  }
  output.finish();
  return end === null || end === "closed" ? SUCCESS : failure(end.error);
}

const PIECE = 64 * 1024;

/** Saves the body in a file. Ctrl-C leaves what has come. */
async function saveBody(order: Order, file: string): Promise<number> {
  const stop = { isWanted: false };
  const progress = await progressFor(basename(file));
  return await untilSignal(
    () => save({ ...order, file }, progress, stop),
    () => {
      stop.isWanted = true;
    },
    ({ isComplete, message }) => {
      if (message !== null) complain(message);
      return isComplete;
    },
  );
}

/** Saves several bodies in a folder, each under the name that its URL has. */
async function saveAll(order: Order, folder: string): Promise<number> {
  const urls = order.urls.length > 0 ? order.urls : [String(order.request.url)];
  const files = fileNamesOf(urls).map((name) => join(folder, name));
  mkdirSync(folder, { recursive: true });
  const { resume, include, fail, parallel } = order;
  const downloads = urls.map((url, at) => ({
    request: { ...order.request, url },
    file: files[at]!,
    ...{ resume, include, fail },
  }));
  const count = await countFor(urls.length);
  const all = new ParallelDownloads(downloads, count);
  return await untilSignal(
    () => all.run(parallel),
    () => all.stop(),
    (outcomes) => {
      count.end();
      outcomes.forEach((outcome, at) => {
        const message = outcome === undefined ? STOPPED : outcome.message;
        if (message !== null) complain(`${urls[at]}: ${message}`);
      });
      return outcomes.every((outcome) => outcome?.isComplete === true);
    },
  );
}

const STOPPED = "interrupted: the same command with --resume goes on";

/** Runs something that Ctrl-C stops. `report` says how it ended, and whether all is well. */
async function untilSignal<T>(
  run: () => Promise<T>,
  stop: () => void,
  report: (outcome: T) => boolean,
): Promise<number> {
  let signal: NodeJS.Signals | null = null;
  const listener = (name: NodeJS.Signals): void => {
    signal = name;
    stop();
  };
  for (const name of ENDING) process.on(name, listener);
  const isWell = report(await run());
  for (const name of ENDING) process.off(name, listener);
  if (isWell) return SUCCESS;
  return signal === null ? FAILURE : endBy(signal);
}

const ENDING = ["SIGINT", "SIGTERM"] as const;

/** Ends as the signal's default action would have: a shell's script, which looks at that, then ends too. */
async function endBy(signal: NodeJS.Signals): Promise<number> {
  await flush(process.stderr);
  process.kill(process.pid, signal);
  return 128 + constants.signals[signal];
}
