// The groups in which the reference site shows the members of a class. Pure.

/** In the order in which a page shows them. */
export const GROUPS = [
  "Connect",
  "Read",
  "Write",
  "Wait",
  "Addresses",
  "Options",
  "Descriptors",
  "Close",
  "Cause",
];

/** @type {readonly (readonly [group: string, names: RegExp])[]} */
const RULES = [
  [
    "Descriptors",
    /^(?:as_fd|into_fd|from_fd|from_systemd|try_clone|send_fd|recv_fd|into_inner|into_stream)$/,
  ],
  [
    "Options",
    /^(?:set_\w+|option|nodelay|keepalive|linger|ttl|broadcast|multicast_\w+|\w+_timeout|take_error)$/,
  ],
  ["Options", /^(?:join|leave)_multicast_\w+$/],
  ["Addresses", /^(?:toString|(?:local|peer)_addr|peer_certificate|peer_cred|protocol|alpn_protocol)$/],
  ["Read", /^(?:read|recv|peek)(?:_\w+)?$|^(?:lines|events|fill_buf|consume|buffer)$/],
  ["Write", /^(?:write|send)(?:_\w+)?$|^finish$/],
  ["Wait", /^(?:wait|add|modify|remove)$/],
  ["Connect", /^(?:constructor|connect|bind|accept|incoming|pair|unbound|create|client|server)$/],
  ["Close", /^(?:close|shutdown|\[dispose\])$/],
  ["Cause", /^(?:code|errno)$/],
];

/**
 * The group of a member; undefined for one that no rule knows.
 *
 * @param {string} name
 */
export function groupOf(name) {
  if (name === "connect_timeout") return "Connect";
  return RULES.find(([, names]) => names.test(name))?.[0];
}
