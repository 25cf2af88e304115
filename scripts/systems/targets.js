// The systems whose headers and C libraries scripts/check-systems.js knows.

/**
 * @typedef {object} Target
 * @property {string} name
 * @property {"linux" | "darwin"} system the column of src/sys/constants.ts
 * @property {"x64" | "arm64"} architecture as `process.arch` has it
 * @property {"glibc" | "musl" | "libSystem"} libc
 * @property {string} zig what `zig cc -target` takes
 * @property {readonly (readonly string[])[]} compilers commands of those that may lie on a machine with this target's own headers
 */

/** The kernel's headers, which musl does not bring, come after musl's own. */
const MUSL = ["musl-gcc", "-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu"];

// (glibc 2.34 took the functions of libanl and libpthread into libc.)
/** @type {readonly Target[]} */
export const targets = [
  target("macOS x64", "darwin", "x64", "libSystem", "x86_64-macos"),
  target("macOS arm64", "darwin", "arm64", "libSystem", "aarch64-macos"),
  target("Linux x64, glibc", "linux", "x64", "glibc", "x86_64-linux-gnu.2.34", [["x86_64-linux-gnu-gcc"]]),
  target("Linux arm64, glibc", "linux", "arm64", "glibc", "aarch64-linux-gnu.2.34", [
    ["aarch64-linux-gnu-gcc"],
  ]),
  target("Linux x64, musl", "linux", "x64", "musl", "x86_64-linux-musl", [MUSL]),
  target("Linux arm64, musl", "linux", "arm64", "musl", "aarch64-linux-musl"),
];

/**
 * @param {string} name
 * @param {Target["system"]} system
 * @param {Target["architecture"]} architecture
 * @param {Target["libc"]} libc
 * @param {string} zig
 * @param {Target["compilers"]} compilers
 * @returns {Target}
 */
function target(name, system, architecture, libc, zig, compilers = []) {
  return { name, system, architecture, libc, zig, compilers };
}
