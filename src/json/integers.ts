/**
 * Integers of any length from decimal text and back, before a deadline. The engine's own conversions take more than linear
 * time (20 seconds for 64 MB of digits), and nothing can interrupt them; so long integers are converted in pieces, with a look
 * at the clock between them. No step takes much more than a tenth of a second. Pure, save for the clock.
 */
import { monotonicTime } from "../runtime/clock.ts";

/** The deadline is past. Thrown by these functions, and caught by those that call them. */
export class Late extends Error {}

/** A deadline on `monotonicTime()`'s clock: throws `Late` when it is past. */
export type Clock = () => void;

export function clockOf(deadline: number): Clock | undefined {
  if (deadline === Number.POSITIVE_INFINITY) return undefined;
  return () => {
    if (monotonicTime() >= deadline) throw new Late("timed out");
  };
}

/** Digits that are converted at once: a hundredth of a second. */
const PIECE = 100_000;
/** Bits of two numbers that are multiplied at once: a tenth of a second. */
const MOST_BITS = 8 * 1024 * 1024;
/** More than a decimal digit has. */
const BITS_OF_DIGIT = Math.log2(10);

/** The integer of this text: digits, perhaps with a minus. Throws a RangeError where it is longer than a bigint can be. */
export function fromDecimal(text: string, clock: Clock | undefined): bigint {
  clock?.();
  if (clock === undefined || text.length <= PIECE) return BigInt(text);
  const start = text.startsWith("-") ? 1 : 0;
  let parts: bigint[] = []; // the first is the lowest
  for (let end = text.length; end > start; end -= PIECE) {
    clock();
    parts.push(BigInt(text.slice(Math.max(start, end - PIECE), end)));
  }
  // Two neighbours become one: high * 10^length + low, where 10^length is 5^length << length.
  let power = 5n ** BigInt(PIECE);
  for (let length = PIECE; parts.length > 1; length *= 2) {
    const bits = Math.ceil(length * BITS_OF_DIGIT);
    const joined: bigint[] = [];
    for (let index = 0; index < parts.length; index += 2) {
      const low = parts[index]!;
      const high = parts[index + 1];
      joined.push(high === undefined ? low : (multiply(high, power, bits, clock) << BigInt(length)) + low);
    }
    parts = joined;
    if (parts.length > 1) power = multiply(power, power, bits, clock);
  }
  const value = parts[0]!;
  return start === 0 ? value : -value;
}

/** The product of two numbers of at most so many bits. Long ones by Karatsuba's method, down to what is multiplied at once. */
function multiply(a: bigint, b: bigint, bits: number, clock: Clock): bigint {
  clock();
  if (bits <= MOST_BITS) return a * b;
  const half = Math.ceil(bits / 2);
  const shift = BigInt(half);
  const [aHigh, aLow, bHigh, bLow] = [
    a >> shift,
    BigInt.asUintN(half, a),
    b >> shift,
    BigInt.asUintN(half, b),
  ];
  const high = multiply(aHigh, bHigh, half, clock);
  const low = multiply(aLow, bLow, half, clock);
  const middle = multiply(aHigh + aLow, bHigh + bLow, half + 1, clock) - high - low;
  return (((high << shift) + middle) << shift) + low;
}

/** A power of ten, and what to multiply with in place of dividing by it. */
interface Divisor {
  /** 10^length, which has at most `bits` bits. */
  readonly power: bigint;
  readonly length: number;
  readonly bits: number;
  /** About 2^(2 * bits) / power. */
  readonly inverse: bigint;
}

/** The decimal text of an integer. */
export function toDecimal(value: bigint, clock: Clock | undefined): string {
  clock?.();
  if (clock === undefined || BigInt.asIntN(PIECE, value) === value) return value.toString();
  if (value < 0n) return `-${toDecimal(-value, clock)}`;
  const most = (value.toString(16).length * 4) / BITS_OF_DIGIT; // to base 16 it takes linear time
  const divisors: Divisor[] = [];
  let power = 10n ** BigInt(PIECE);
  for (let length = PIECE; length < most; length *= 2) {
    if (length > PIECE) power = multiply(power, power, Math.ceil((length / 2) * BITS_OF_DIGIT), clock);
    const bits = Math.ceil(length * BITS_OF_DIGIT) + 1;
    divisors.push({ power, length, bits, inverse: inverseOf(power, bits, clock) });
  }
  return digitsOf(value, divisors, divisors.length, clock).replace(/^0+/, "");
}

/** The digits of an integer below the square of the last of the first `count` divisors; perhaps after zeros. */
function digitsOf(value: bigint, divisors: readonly Divisor[], count: number, clock: Clock): string {
  clock();
  const divisor = divisors[count - 1];
  if (divisor === undefined) return value.toString();
  const [high, low] = divide(value, divisor, clock);
  const lowDigits = digitsOf(low, divisors, count - 1, clock);
  return digitsOf(high, divisors, count - 1, clock) + lowDigits.padStart(divisor.length, "0");
}

/** Quotient and remainder of a number below the square of the divisor (Barrett's method). */
function divide(value: bigint, { power, bits, inverse }: Divisor, clock: Clock): [bigint, bigint] {
  let quotient = multiply(value >> BigInt(bits - 1), inverse, bits + 2, clock) >> BigInt(bits + 1);
  let rest = value - multiply(quotient, power, bits + 2, clock);
  // It is wrong by a few at most.
  for (; rest < 0n; rest += power) quotient--;
  for (; rest >= power; rest -= power) quotient++;
  return [quotient, rest];
}

/** About 2^(2 * bits) / divisor, for a divisor of that many bits or one less (Newton's method). */
function inverseOf(divisor: bigint, bits: number, clock: Clock): bigint {
  clock();
  if (bits <= PIECE) return (1n << BigInt(2 * bits)) / divisor;
  const half = Math.ceil(bits / 2) + 8;
  const shift = BigInt(bits - half);
  const guess = inverseOf(divisor >> shift, half, clock) << shift;
  const missing = (1n << BigInt(2 * bits)) - multiply(divisor, guess, bits + 2, clock);
  const share = missing >> BigInt(bits);
  const product = multiply(guess, share < 0n ? -share : share, bits + 2, clock) >> BigInt(bits);
  return share < 0n ? guess - product : guess + product;
}
