/**
 * Certificates made by the `openssl` command for one test run: a root, and under it every kind of good and bad
 * server that badssl.com has and that can be made locally.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { programCall } from "./peer.ts";

export interface Identity {
  /** PEM, the leaf first. */
  readonly cert: string;
  readonly key: string;
}

interface Wanted {
  /** Default: CN=server.test. */
  readonly subject?: string;
  /** The extension section's lines; default: a server for server.test and 127.0.0.1. */
  readonly extensions?: string;
  /** Default: now, for a year; in the form YYYYMMDDHHMMSSZ. */
  readonly from?: string;
  readonly until?: string;
  /** The arguments of `openssl genpkey`; default: P-256. */
  readonly key?: readonly string[];
  readonly digest?: string;
}

const P256 = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const SERVER = "extendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n";
const NAMES = "subjectAltName=DNS:server.test,DNS:*.wild.test,IP:127.0.0.1,IP:::1\n";
const AUTHORITY = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n";

export class Certificates {
  readonly directory = mkdtempSync(join(tmpdir(), "std-net-test-"));
  #serial = 1000;

  constructor() {
    writeFileSync(join(this.directory, "index.txt"), "");
    writeFileSync(join(this.directory, "index.txt.attr"), "unique_subject = no\n");
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): string {
    return readFileSync(this.path(name), "utf8");
  }

  #openssl(...args: string[]): void {
    const [command, programArguments, environment] = programCall("openssl", args);
    execFileSync(command, programArguments, {
      cwd: this.directory,
      env: { ...process.env, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
  }

  /** A certificate signed by `issuer` (null: by itself), kept as NAME.pem and NAME.key too. */
  make(name: string, issuer: string | null, wanted: Wanted = {}): Identity {
    const serial = String(this.#serial++);
    mkdirSync(this.path("new"), { recursive: true });
    writeFileSync(
      this.path(`${name}.cnf`),
      `[ca]\ndefault_ca=this\n[this]\ndatabase=index.txt\nnew_certs_dir=new\nserial=${name}.serial\npolicy=any\n` +
        "[any]\ncommonName=optional\norganizationName=optional\n" +
        `[extensions]\n${wanted.extensions ?? SERVER + NAMES}`,
    );
    writeFileSync(this.path(`${name}.serial`), `${serial}\n`);
    this.#openssl("genpkey", ...(wanted.key ?? P256), "-out", `${name}.key`);
    const subject = wanted.subject ?? "/CN=server.test";
    this.#openssl("req", "-new", "-key", `${name}.key`, "-subj", subject, "-out", `${name}.csr`, "-sha256");
    this.#openssl(
      "ca",
      "-batch",
      "-notext",
      "-config",
      `${name}.cnf`,
      "-in",
      `${name}.csr`,
      "-out",
      `${name}.pem`,
      "-extensions",
      "extensions",
      "-md",
      wanted.digest ?? "sha256",
      "-startdate",
      wanted.from ?? "20200101000000Z",
      "-enddate",
      wanted.until ?? "20490101000000Z",
      ...(issuer === null
        ? ["-selfsign", "-keyfile", `${name}.key`]
        : ["-cert", `${issuer}.pem`, "-keyfile", `${issuer}.key`]),
    );
    return {
      cert: readFileSync(this.path(`${name}.pem`), "utf8"),
      key: readFileSync(this.path(`${name}.key`), "utf8"),
    };
  }

  authority(name: string, issuer: string | null = null, more = ""): Identity {
    return this.make(name, issuer, { subject: `/CN=${name}`, extensions: AUTHORITY + more });
  }
}

/** What a server shows, and what a client of the root should say to it. */
export interface ServerCase extends Identity {
  readonly name: string;
  /** The name that the client asks for; default: server.test. */
  readonly asks?: string;
  /** What the client's error must contain; null: the connection must succeed. */
  readonly error: RegExp | null;
  /** True where node:tls may judge otherwise: it still falls back to the CN, and knows partial wildcards. */
  readonly nodeDiffers?: boolean;
  readonly minVersion?: string;
  readonly maxVersion?: string;
  readonly ciphers?: string;
}

/** Every case, with the root that the client trusts. */
export function serverCases(certificates: Certificates): { root: Identity; cases: ServerCase[] } {
  const root = certificates.authority("root");
  const middle = certificates.authority("middle", "root");
  certificates.authority("stranger");
  // The root's name and a key of its own: a chain that looks right until the signature is checked.
  certificates.make("impostor", null, { subject: "/CN=root", extensions: AUTHORITY });
  const narrow = certificates.authority(
    "narrow",
    "root",
    "nameConstraints=critical,permitted;DNS:elsewhere.test\n",
  );
  certificates.make("no-authority", "root", { subject: "/CN=no-authority" });
  const good = certificates.make("good", "root");
  const underMiddle = certificates.make("under-middle", "middle");
  const named = (san: string): Wanted => ({ extensions: `${SERVER}subjectAltName=${san}\n` });
  const bad = (
    name: string,
    error: RegExp,
    wanted: Wanted = {},
    issuer: string | null = "root",
  ): ServerCase => ({
    name,
    error,
    ...certificates.make(name, issuer, wanted),
  });
  const refused = /^tls handshake failed: /;

  const underNarrow = bad("name-constraints", /permitted subtree violation/, {}, "narrow");
  Object.assign(underNarrow, { cert: underNarrow.cert + narrow.cert });

  const cases: ServerCase[] = [
    { name: "good", error: null, ...good },
    { name: "good, trailing dot", error: null, asks: "server.test.", ...good },
    { name: "good, upper case", error: null, asks: "SERVER.test", ...good },
    { name: "good, by address", error: null, asks: "127.0.0.1", ...good },
    // Node 22 compares an IPv6 address as text, and in two different forms.
    { nodeDiffers: true, name: "good, by IPv6 address", error: null, asks: "::1", ...good },
    { name: "good, by wildcard", error: null, asks: "a.wild.test", ...good },
    { name: "good, an underscore by wildcard", error: null, asks: "_a_b.wild.test", ...good },
    {
      name: "an underscore by wildcard, one label",
      error: /hostname mismatch/,
      asks: "a_b.c.wild.test",
      ...good,
    },
    { name: "an underscore elsewhere", error: /hostname mismatch/, asks: "a_b.server.test", ...good },
    { name: "wildcard covers one label", error: /hostname mismatch/, asks: "a.b.wild.test", ...good },
    { name: "wildcard covers no fewer", error: /hostname mismatch/, asks: "wild.test", ...good },
    { name: "wrong address", error: /IP address mismatch/, asks: "127.0.0.2", ...good },
    { name: "intermediate", error: null, cert: underMiddle.cert + middle.cert, key: underMiddle.key },
    { name: "missing intermediate", error: /unable to get local issuer certificate/, ...underMiddle },
    bad("expired", /certificate has expired/, { from: "20200101000000Z", until: "20200201000000Z" }),
    bad("not-yet-valid", /certificate is not yet valid/, { from: "20480101000000Z" }),
    bad("self-signed", /self.signed certificate/, {}, null),
    bad("unknown-root", /unable to get local issuer certificate/, {}, "stranger"),
    bad(
      "forged-signature",
      /certificate signature failure|unable to get local issuer certificate/,
      {},
      "impostor",
    ),
    {
      name: "tampered",
      error: /^tls handshake failed: certificate verify failed: certificate signature failure$/,
      cert: tampered(good.cert),
      key: good.key,
    },
    bad("wrong-host", /hostname mismatch/, named("DNS:other.test")),
    bad("wrong-purpose", /certificate purpose/, { extensions: `extendedKeyUsage=clientAuth\n${NAMES}` }),
    { nodeDiffers: true, ...bad("cn-only", /hostname mismatch/, { extensions: SERVER }) },
    {
      nodeDiffers: true,
      ...bad("partial-wildcard", /hostname mismatch/, named("DNS:ser*.test,DNS:s*.sub.test")),
      asks: "server.sub.test",
    },
    { nodeDiffers: true, ...bad("dot-behind-name", /hostname mismatch/, named("DNS:server.test.")) },
    { ...bad("address-as-name", /IP address mismatch/, named("DNS:127.0.0.1")), asks: "127.0.0.1" },
    { ...bad("wildcard-top-level", /hostname mismatch/, named("DNS:*.test")), asks: "server.test" },
    bad(
      "nul-in-name",
      refused,
      named("DER:30:15:82:13:73:65:72:76:65:72:2e:74:65:73:74:00:2e:65:76:69:6c:2e:61:61:61"),
    ),
    underNarrow,
    bad("weak-key-512", refused, { key: ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:512"] }),
    bad("sha1-signature", refused, { digest: "sha1" }),
    {
      name: "TLS 1.0",
      error: refused,
      ...good,
      minVersion: "TLSv1",
      maxVersion: "TLSv1",
      ciphers: "ALL@SECLEVEL=0",
    },
    {
      name: "TLS 1.1",
      error: refused,
      ...good,
      minVersion: "TLSv1.1",
      maxVersion: "TLSv1.1",
      ciphers: "ALL@SECLEVEL=0",
    },
    { name: "TLS 1.2", error: null, ...good, maxVersion: "TLSv1.2" },
    {
      name: "RC4 or no encryption",
      error: refused,
      ...good,
      maxVersion: "TLSv1.2",
      ciphers: "NULL:aNULL@SECLEVEL=0",
    },
  ];
  const notAuthority = certificates.make("under-no-authority", "no-authority");
  cases.push({
    name: "issuer is no authority",
    error: /invalid CA certificate/,
    cert: notAuthority.cert + readFileSync(certificates.path("no-authority.pem"), "utf8"),
    key: notAuthority.key,
  });
  return { root, cases };
}

/** The certificate with another last byte, which is its signature's. */
function tampered(pem: string): string {
  const der = Buffer.from(pem.replace(/-----.*?-----/g, ""), "base64");
  der[der.length - 1]! ^= 1;
  return `-----BEGIN CERTIFICATE-----\n${der.toString("base64").replace(/.{64}/g, "$&\n")}\n-----END CERTIFICATE-----\n`;
}
