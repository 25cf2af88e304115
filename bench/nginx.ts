// nginx with a certificate made for the run: the server that the https workloads talk to.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { available, Program, Skip, sharedCore } from "./programs.ts";

/** A server's certificate and key for 127.0.0.1 as files; it is its own authority. */
export interface Certificate {
  readonly directory: string;
  readonly cert: string;
  readonly key: string;
  remove(): void;
}

/** RSA with 2048 bits: what most servers still show, and dear enough that resumption shows. */
export function makeCertificate(): Certificate {
  if (!available("openssl")) throw new Skip("there is no openssl command here");
  const directory = mkdtempSync(join(tmpdir(), "std-net-bench-"));
  const cert = join(directory, "cert.pem");
  const key = join(directory, "key.pem");
  const names = ["-subj", "/CN=std-net benchmark", "-addext", "subjectAltName=IP:127.0.0.1"];
  const made = ["-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "30"];
  execFileSync("openssl", ["req", "-x509", ...names, ...made], { stdio: "ignore" });
  return { directory, cert, key, remove: () => rmSync(directory, { recursive: true, force: true }) };
}

/** nginx that answers /small with a small JSON over TLS 1.3, on the core that the clients share, or on another one. */
export async function startNginx(
  { directory, cert, key }: Certificate,
  core: number = sharedCore,
): Promise<{ program: Program; port: number }> {
  if (!available("nginx")) throw new Skip("there is no nginx here");
  const port = await freePort();
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (name) => `${name}_temp_path ${directory};`,
  );
  writeFileSync(
    join(directory, "nginx.conf"),
    `daemon off; master_process off; pid ${join(directory, "pid")}; error_log stderr crit; worker_processes 1;
     events { worker_connections 512; }
     http {
       access_log off; ${paths.join(" ")}
       keepalive_requests 1000000000; keepalive_timeout 1h; default_type application/json;
       ssl_certificate ${cert}; ssl_certificate_key ${key}; ssl_protocols TLSv1.3; ssl_session_timeout 1h;
       server {
         listen 127.0.0.1:${port} ssl;
         location /small { return 200 '{"id":42,"name":"std-net","ok":true,"tags":["tcp","udp","http"]}'; }
       }
     }`,
  );
  const program = new Program(["nginx", "-p", directory, "-c", join(directory, "nginx.conf")], core);
  for (let attempt = 0; !(await accepts(port)); attempt++) {
    if (attempt === 100) throw new Error("nginx does not listen");
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { program, port };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}
