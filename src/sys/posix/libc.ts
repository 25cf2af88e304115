import type { Constants } from "../constants.ts";
import type { Koffi } from "../koffi.ts";

/** What a mechanism needs: libc, the system's numbers, and the errno of the call that failed just now. */
export interface Libc {
  readonly koffi: Koffi;
  readonly library: ReturnType<Koffi["load"]>;
  readonly constants: Constants;
  /** close(2). */
  close(descriptor: number): number;
}
