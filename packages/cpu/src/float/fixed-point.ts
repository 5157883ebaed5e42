/**
 * Elementary functions on fixed-point BigInts with 256 fractional bits: what the x87 transcendental helpers compute with. Errors stay below 2^-240,
 * far below the 64 bits that are kept.
 */

/** Fractional bits. */
export const FRACTION = 256n;
/** The number 1. */
export const ONE = 1n << FRACTION;

/** Product of two fixed-point numbers. */
export function multiply(x: bigint, y: bigint): bigint {
  return (x * y) >> FRACTION;
}
/** Quotient of two fixed-point numbers. */
export function divide(x: bigint, y: bigint): bigint {
  return (x << FRACTION) / y;
}

/** Integer square root, by Newton from above. */
function integerRoot(n: bigint): bigint {
  if (n === 0n) return 0n;
  let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + n / x) >> 1n;
    if (next >= x) return x;
    x = next;
  }
}
/** Square root of a fixed-point number. */
function squareRoot(x: bigint): bigint {
  return integerRoot(x << FRACTION);
}

/** Sum of z^n / n over odd n, with alternating signs for the arc tangent. */
function oddSeries(z: bigint, alternate: boolean): bigint {
  const square = multiply(z, z);
  let power = z;
  let sum = 0n;
  for (let n = 1n, sign = 1n; power !== 0n && power !== -1n; n += 2n) {
    sum += (sign * power) / n;
    power = multiply(power, square);
    if (alternate) sign = -sign;
  }
  return sum;
}

/** Natural logarithm of 2: 2 atanh(1/3). */
export const LN2 = 2n * oddSeries(ONE / 3n, false);

/** Arc tangent of 0 <= z <= 1. Halving the angle three times makes the series short. */
export function arcTangent(z: bigint): bigint {
  let t = z;
  for (let n = 0; n < 3; n++) t = divide(t, ONE + squareRoot(ONE + multiply(t, t)));
  return oddSeries(t, true) << 3n;
}
/** The circle's constant, to the full fixed-point precision. */
export const PI = 4n * (4n * oddSeries(ONE / 5n, true) - oddSeries(ONE / 239n, true));

/** Logarithm to base 2 of x > 0; exact for powers of 2. */
export function logarithm2(x: bigint): bigint {
  let exponent = BigInt(x.toString(2).length) - 1n - FRACTION;
  let m = exponent >= 0n ? x >> exponent : x << -exponent;
  // In [0.75, 1.5), so that no bits cancel near 1.
  if (m >= (3n * ONE) / 2n) {
    exponent++;
    m = exponent >= 0n ? x >> exponent : x << -exponent;
  }
  const natural = 2n * oddSeries(divide(m - ONE, m + ONE), false);
  return exponent * ONE + divide(natural, LN2);
}

/** 2^x - 1 for |x| <= 1. */
export function powerMinusOne(x: bigint): bigint {
  const t = multiply(x, LN2);
  let term = t;
  let sum = 0n;
  for (let n = 2n; term !== 0n && term !== -1n; n++) {
    sum += term;
    term = multiply(term, t) / n;
  }
  return sum;
}

/** Sine and cosine of |r| <= 1. */
export function sineCosine(r: bigint): { sine: bigint; cosine: bigint } {
  const square = multiply(r, r);
  const series = (first: bigint, from: bigint): bigint => {
    let term = first;
    let sum = 0n;
    for (let n = from; term !== 0n && term !== -1n; n += 2n) {
      sum += term;
      term = -multiply(term, square) / (n * (n + 1n));
    }
    return sum;
  };
  return { sine: series(r, 2n), cosine: series(ONE, 1n) };
}
