import type { LibraryHandle } from "koffi";
import type { Koffi } from "../koffi.ts";

/** A library of the system, of which functions are declared. */
export interface SystemLibrary {
  func(prototype: string): ReturnType<LibraryHandle["func"]>;
}

/**
 * Loads a library of the system. What is missing is named: koffi's own errors are "Module not found" and "Cannot find function 'x' in
 * shared library", whichever that is.
 */
export function systemLibrary(koffi: Koffi, name: string): SystemLibrary {
  const library = naming(name, () => koffi.load(name));
  return { func: (prototype) => naming(name, () => library.func(prototype)) };
}

function naming<T>(name: string, load: () => T): T {
  try {
    return load();
  } catch (error) {
    throw new Error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
