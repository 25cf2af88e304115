import { createRequire } from "node:module";

export type Koffi = typeof import("koffi");

/**
 * koffi, loaded with `require` on the first use: a program that only imports std-net pays nothing for it, and a koffi
 * that is missing is an error result and not a failed import.
 *
 * Its binary lies in a package of its own, one for each platform, and can be loaded as it is. koffi's entry point tries that
 * last of many things, and the package's looks for the libc in the ELF header of the running program: together they take
 * longer (5 ms) than all else that a program's first connection does.
 */
export function loadKoffi(): Koffi {
  // Once is enough for OpenSSL too: to look for it again takes descriptors, of which there may be none then.
  koffi ??= findKoffi();
  return koffi;
}
let koffi: Koffi | undefined;

/** Whether it was loaded. */
export function isKoffiLoaded(): boolean {
  return koffi !== undefined;
}

function findKoffi(): Koffi {
  // (webpack understands this only where it is written as an argument.)
  const here = createRequire(import.meta.url ?? bundle());
  const platformPackage = `@koromix/koffi-${process.platform}-${process.arch}`;
  const attempts: (() => unknown)[] = [
    () => here(platformPackage),
    // Where packages lie strictly within those that ask for them (pnpm), only koffi finds it.
    () => createRequire(here.resolve("koffi"))(platformPackage),
    // A platform that names its binary otherwise, or an install without optional packages: koffi knows more places.
    () => here("koffi"),
  ];
  if (process.platform === "linux" && usesGlibc()) {
    attempts.unshift(() => here(`${platformPackage}/linux_${process.arch}/koffi.node`));
  }
  let failure: unknown;
  for (const attempt of attempts) {
    try {
      const found = attempt() as Koffi;
      if (isRecentEnough(found)) return found;
      failure = new Error("the koffi that was found is too old");
    } catch (thrown) {
      // That says more than what the other places would say.
      if ((thrown as { code?: unknown }).code === "ERR_DLOPEN_DISABLED") throw thrown;
      failure = thrown;
    }
  }
  throw failure;
}

/**
 * The file that this became a part of. A bundle in CommonJS has no import.meta.url (esbuild leaves it undefined) but a
 * __filename, a single executable too.
 */
function bundle(): string {
  return typeof __filename === "string" ? __filename : `${process.cwd()}/`;
}

/**
 * Whether the running program asks for glibc's loader: the name of the loader stands near the beginning of an ELF file
 * (elf(5), PT_INTERP). Where it does not, the packages themselves tell.
 */
function usesGlibc(): boolean {
  try {
    // (Imported at the top it would load node:fs/promises as well, at the start of every program.)
    const { closeSync, openSync, readSync } = process.getBuiltinModule("node:fs");
    const file = openSync(process.execPath, "r");
    const beginning = Buffer.alloc(4096);
    readSync(file, beginning);
    closeSync(file);
    return beginning.includes("/ld-linux-");
  } catch {
    return false;
  }
}

/** Another dependency's older koffi may lie nearer than ours. */
function isRecentEnough({ version }: Koffi): boolean {
  const [major = 0, minor = 0] = String(version).split(".").map(Number);
  return major > 3 || (major === 3 && minor >= 3);
}
