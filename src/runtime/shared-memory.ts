import { getEnvironmentData, setEnvironmentData } from "node:worker_threads";

/**
 * Memory of this name that all threads of the process share: made by the first thread that asks, and found by those that
 * it starts. (A thread whose parent does not know this library makes its own.)
 */
export function sharedMemory(name: string, bytes: number): SharedArrayBuffer {
  const key = `std-net ${name}`;
  const known = getEnvironmentData(key);
  if (known instanceof SharedArrayBuffer) return known;
  const made = new SharedArrayBuffer(bytes);
  setEnvironmentData(key, made);
  return made;
}
