/** Whether signals are libuv's business, as in Node. */
export const isLibuv = process.versions["bun"] === undefined && process.versions["deno"] === undefined;
