/**
 * A 128-bit hash of a machine's state, for comparing two machines: four lanes of multiply and rotate over 32-bit words.
 * It finds differences; it is no protection against forgery.
 */

const PRIMES = [0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f] as const;

/** Hashes bytes given in pieces; the pieces' borders do not matter as long as each is a multiple of 16 bytes. */
export class StateHash {
  private readonly lanes = new Uint32Array([1, 2, 3, 4]);

  /** Adds bytes; the last piece may have any length. */
  add(bytes: Uint8Array): void {
    const whole = bytes.length & ~15;
    const aligned = (bytes.byteOffset & 3) === 0 ? bytes : bytes.slice();
    const words = new Uint32Array(aligned.buffer, aligned.byteOffset, whole >> 2);
    let [a, b, c, d] = this.lanes as unknown as [number, number, number, number];
    for (let i = 0; i < words.length; i += 4) {
      a = Math.imul(a ^ words[i]!, PRIMES[0]);
      a = (a << 13) | (a >>> 19);
      b = Math.imul(b ^ words[i + 1]!, PRIMES[1]);
      b = (b << 13) | (b >>> 19);
      c = Math.imul(c ^ words[i + 2]!, PRIMES[2]);
      c = (c << 13) | (c >>> 19);
      d = Math.imul(d ^ words[i + 3]!, PRIMES[3]);
      d = (d << 13) | (d >>> 19);
    }
    this.lanes.set([a, b, c, d]);
    if (whole === bytes.length) return;
    const rest = new Uint8Array(16);
    rest.set(bytes.subarray(whole));
    rest[15] = bytes.length - whole;
    this.add(rest);
  }

  /** The hash as 32 hexadecimal digits. */
  digest(): string {
    const [a, b, c, d] = this.lanes as unknown as [number, number, number, number];
    const mixed = [a, b, c, d].map((lane, n) => {
      let x = (lane ^ [b, c, d, a][n]!) >>> 0;
      x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
      x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
      return (x ^ (x >>> 16)) >>> 0;
    });
    return mixed.map((lane) => lane.toString(16).padStart(8, "0")).join("");
  }
}
