import { Failure } from "../error.ts";
import { type Platform, platform } from "../sys/index.ts";
import { watchSignals } from "./wait/signals.ts";

/**
 * The platform, once it is certain that this process may use the network. Node's permission model knows the network since Node 25; an
 * FFI call would walk round it.
 */
export function networkPlatform(): Platform | Failure {
  const permission = (process as { permission?: { has(scope: string): boolean } }).permission;
  if (permission !== undefined && process.allowedNodeEnvironmentFlags.has("--allow-net")) {
    if (!permission.has("net")) {
      return new Failure("network access is denied by Node's permission model (--allow-net)");
    }
  }
  const sys = platform();
  if (!(sys instanceof Failure)) watchSignals(sys);
  return sys;
}
