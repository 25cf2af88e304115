import type { Constants, PosixConstants } from "../constants.ts";
import type { Koffi } from "../koffi.ts";

/** What the files of this folder need: libc, the system's numbers, and the errno of the call that failed just now. */
export interface Libc {
  readonly koffi: Koffi;
  readonly library: ReturnType<Koffi["load"]>;
  readonly constants: Constants;
  /** Numbers that only this folder knows. */
  readonly numbers: PosixConstants;
  /** close(2). */
  close(descriptor: number): number;
}
