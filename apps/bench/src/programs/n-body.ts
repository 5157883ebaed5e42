/**
 * Five bodies under gravity, the planets and constants of the Computer Language Benchmarks Game, once with SSE2 and once with x87, as a compiler would
 * write the inner loop: coordinates in memory, products in registers. The checksum is of all positions and velocities.
 */

const SOLAR_MASS = 4 * Math.PI * Math.PI;
const DAYS = 365.24;
/** Position, velocity a day, and mass in suns, of Jupiter, Saturn, Uranus and Neptune. */
export const PLANETS = [
  [4.841431442464721, -1.1603200440274284, -0.10362204447112311, 0.001660076642744037, 0.007699011184197404, -6.90460016972063e-05, 0.0009547919384243266],
  [8.34336671824458, 4.124798564124305, -0.4035234171143214, -0.002767425107264119, 0.004998528012349172, 2.3041729757376393e-05, 0.0002858859806661308],
  [12.894369562139131, -15.111151401698631, -0.22330757889265573, 0.002964601375647616, 0.0023784717395948095, -2.9658956854023756e-05, 4.366244043351563e-05],
  [15.379697114850917, -25.919314609987964, 0.17925877295037118, 0.0026806777249038932, 0.001628241700382423, -9.515922545197159e-05, 5.1513890204661145e-05],
] as const;
const BODIES = PLANETS.length + 1;
/** x, y, z, their velocities, mass. */
const BODY = 56;

/** A number as its bits: decimal notation may be read otherwise elsewhere. */
function quad(value: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return `0x${view.getBigUint64(0).toString(16)}`;
}

function bodies(): string {
  const planets = PLANETS.map(([x, y, z, vx, vy, vz, mass]) => [x, y, z, vx * DAYS, vy * DAYS, vz * DAYS, mass * SOLAR_MASS]);
  // The sun moves so that the whole does not.
  const momentum = [3, 4, 5].map((n) => -planets.reduce((sum, planet) => sum + planet[n]! * planet[6]!, 0) / SOLAR_MASS);
  return [[0, 0, 0, ...momentum, SOLAR_MASS], ...planets].map((body) => `    dq ${body.map(quad).join(", ")}`).join("\n");
}

/** Each pair changes both velocities, then each body moves. */
const program = (pair: string, move: string): string => `
main:
    mov dword [left], ROUNDS
.round:
    mov esi, bodies
.first:
    lea @di, [@si + ${BODY}]
.second:
${pair}
    add @di, ${BODY}
    cmp @di, bodies_end
    jb .second
    add @si, ${BODY}
    cmp @si, bodies_end - ${BODY}
    jb .first
    mov esi, bodies
.move:
${move}
    add @si, ${BODY}
    cmp @si, bodies_end
    jb .move
    dec dword [left]
    jnz .round
    xor eax, eax
    mov esi, bodies
.sum:
    rol eax, 5
    xor eax, [@si]
    add @si, 4
    cmp @si, bodies_end
    jb .sum
    ret
    data@
step: dq ${quad(0.01)}
bodies:
${bodies()}
bodies_end:
    times ${BODIES} db 0
`;

const axes = [0, 8, 16] as const;

/** n-body with scalar SSE2. */
export const N_BODY_SSE2 = program(
  [
    ...axes.map((at, n) => `    movsd xmm${n}, [@si + ${at}]\n    subsd xmm${n}, [@di + ${at}]`),
    "    movapd xmm3, xmm0\n    mulsd xmm3, xmm3",
    ...[1, 2].map((n) => `    movapd xmm4, xmm${n}\n    mulsd xmm4, xmm4\n    addsd xmm3, xmm4`),
    "    sqrtsd xmm4, xmm3\n    mulsd xmm4, xmm3\n    movsd xmm5, [step]\n    divsd xmm5, xmm4",
    "    movsd xmm6, [@di + 48]\n    mulsd xmm6, xmm5\n    mulsd xmm5, [@si + 48]",
    ...axes.map((at, n) => `    movapd xmm3, xmm${n}\n    mulsd xmm3, xmm6\n    movsd xmm4, [@si + ${24 + at}]\n    subsd xmm4, xmm3\n    movsd [@si + ${24 + at}], xmm4`
      + `\n    mulsd xmm${n}, xmm5\n    addsd xmm${n}, [@di + ${24 + at}]\n    movsd [@di + ${24 + at}], xmm${n}`),
  ].join("\n"),
  axes.map((at) => `    movsd xmm0, [step]\n    mulsd xmm0, [@si + ${24 + at}]\n    addsd xmm0, [@si + ${at}]\n    movsd [@si + ${at}], xmm0`).join("\n"),
);

/** n-body with x87, whose registers have 64 bits of precision, and whose results are rounded when they are stored. */
export const N_BODY_X87 = program(
  [
    ...axes.map((at, n) => `    fld qword [@si + ${at}]\n    fsub qword [@di + ${at}]\n    fst qword [difference + ${8 * n}]`),
    // dz dy dx
    "    fmul st0, st0\n    fxch st1\n    fmul st0, st0\n    faddp st1\n    fxch st1\n    fmul st0, st0\n    faddp st1",
    "    fld st0\n    fsqrt\n    fmulp st1\n    fdivr qword [step]\n    fld qword [@di + 48]\n    fmul st0, st1\n    fstp qword [pull]\n    fmul qword [@si + 48]\n    fstp qword [push_]",
    ...axes.map((at, n) => `    fld qword [difference + ${8 * n}]\n    fmul qword [pull]\n    fsubr qword [@si + ${24 + at}]\n    fstp qword [@si + ${24 + at}]`
      + `\n    fld qword [difference + ${8 * n}]\n    fmul qword [push_]\n    fadd qword [@di + ${24 + at}]\n    fstp qword [@di + ${24 + at}]`),
  ].join("\n"),
  axes.map((at) => `    fld qword [step]\n    fmul qword [@si + ${24 + at}]\n    fadd qword [@si + ${at}]\n    fstp qword [@si + ${at}]`).join("\n"),
);
