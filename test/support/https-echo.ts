// A foreign HTTPS server that answers with the request it got, and the certificates that belong to it.
import { Certificates, type Identity } from "./certificates.ts";
import { nodeFile } from "./peer.ts";

export interface HttpsEcho {
  readonly url: string;
  /** The CA of the server's certificate, which is for server.test and 127.0.0.1. */
  readonly root: string;
  /** A client's certificate of the same CA, for client.test. */
  readonly identity: Identity;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function httpsEcho(): Promise<HttpsEcho> {
  const certificates = new Certificates();
  const root = certificates.authority("root").cert;
  certificates.make("server", "root");
  const identity = certificates.make("client", "root", {
    subject: "/CN=client.test",
    extensions: "extendedKeyUsage=clientAuth\n",
  });
  const files = ["server.pem", "server.key", "root.pem"].map((name) => certificates.path(name));
  const server = nodeFile("https-echo.mjs", ...files);
  const port = await server.line();
  certificates.remove();
  return {
    url: `https://127.0.0.1:${port}`,
    root,
    identity,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}
