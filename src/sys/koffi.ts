import { createRequire } from "node:module";

export type Koffi = typeof import("koffi");

/**
 * koffi, loaded with `require` on the first use: a program that only imports std-net pays nothing for it, and a koffi
 * that is missing is an error result and not a failed import.
 *
 * Its binary is a package of its own, one for each platform, and can be loaded as it is. koffi's entry point tries that
 * last of many things, which takes longer (4 ms) than all else that a program's first connection does.
 */
export function loadKoffi(): Koffi {
  const near = createRequire(createRequire(import.meta.url).resolve("koffi"));
  try {
    return near(`@koromix/koffi-${process.platform}-${process.arch}`) as Koffi;
  } catch {
    // A platform that names its binary otherwise, or an install without optional packages: koffi knows more places.
    return near("koffi") as Koffi;
  }
}
