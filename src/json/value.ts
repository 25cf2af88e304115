/** What JSON can hold, with a `bigint` for an integer beyond ±(2^53 − 1). */
export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };
