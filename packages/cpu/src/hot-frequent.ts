/**
 * The handlers that stand inside the dispatch function beside a translator, which takes away what is hot: what V8 then compiles in a few
 * hundredths of a second instead of a third of one. Counted over a boot of Debian's 686 and amd64 kernels and the workloads of the
 * benchmark (its `profile.ts --pairs --engine auto` samples them): these execute 98 of 100 instructions that are interpreted there; each
 * of the others is a function of its own. A line is an opcode in the notation of the tables, then kind of operand and operand size as in
 * the list of hot shapes, and conditions (in hexadecimal) where the form has one. What needs the host's SIMD has no place here: there are
 * hosts without.
 */
export const FREQUENT_32 = `
00: m4
01: m4, r4
03: f4, i4, m4
05: r4
09: r4
0B: m4
0F 20: r4
0F 31: r4
0F 40+cc: r4:2345678
0F 80+cc: r4:2345678ef
0F 90+cc: r4:245
0F A3: m4
0F AC: r4
0F AF: r4
0F B1: m4
0F B6: i4, m4, r4
0F B7: i4, m4, r4
0F BA /5: m4
0F BA /6: m4
0F BE: r4
0F BF: m4
0F C8+r: r4
11: m4, r4
13: m4
19: r4
1B: m4
21: r4
23: m4
25: r4
29: m4, r4
2B: f4, m4
30: r4
31: r4
33: i4, m4
38: i4, m4, r4
39: i4, m4, r4
3A: m4
3B: m4
3C: r4
3D: r4
40+r: r4
48+r: r4
50+r: r4
58+r: r4
69: r4
6A: r4
6B: r4
70+cc: r4:23456789cdef
80 /1: m4
80 /4: m4, r4
80 /7: i4, m4, r4
81 /0: m4, r2, r4
81 /1: m4
81 /4: m4, r4
81 /5: r4
81 /6: r4
81 /7: m4, r2, r4
83 /0: m4, r4
83 /1: r4
83 /2: m4, r4
83 /4: r4
83 /5: m4, r4
83 /6: r4
83 /7: m2, m4, r2, r4
84: r4
85: r4
88: i4, m4, r4
89: i2, i4, m2, m4, r4
8A: i4, m4
8B: f4, i4, m4
8D: i4, m4
8E: r4
90: r2, r4
99: r4
9C: r4
9E: r4
A1: f4, m4
A3: m4
A8: r4
A9: r4
B8+r: r4
C1 /0: r4
C1 /1: r4
C1 /4: r4
C1 /5: r4
C1 /7: r4
C3: r4
C6 /0: m4
C7 /0: m4, r4
C9: r4
CD: r4
D1 /0: r4
D1 /5: r4
D3 /4: r4
D3 /5: r4
D8 C8+i: r4
D9 C8+i: r4
DC /0: m4
DC /1: m4
DC /5: m4
DD /0: m4
DD /3: m4
DD D8+i: r4
DF E0: r4
E8: r4
E9: r4
EB: r4
F6 /0: m4, r4
F7 /0: m4, r4
F7 /2: r4
F7 /3: r4
F7 /4: r4
F7 /6: r4
FA: r4
FB: r4
FC: r4
FF /0: f4, i4, m4
FF /1: f4, m4
FF /4: r4
FF /6: m4
`;

export const FREQUENT_64 = `
00: m4
01: i4, m4, m8, r4, r8
03: i4, i8, m4, m8, q8
05: r2, r8
09: r4, r8
0B: m8
0F 05: r4
0F 1F: i4, m4
0F 20: r8
0F 22: r8
0F 31: r4
0F 40+cc: m8:5, r4:257, r8:2345678
0F 80+cc: r8:2345678cef
0F 90+cc: r4:2457
0F AF: r4, r8
0F B1: m4, m8
0F B6: i4, m4, r4
0F B7: i4, m4, r4
0F BA /5: m8
0F BC: r8
0F BE: m8
0F BF: m4
0F C8+r: r4, r8
19: r4
21: r4, r8
23: q8
25: r4, r8
29: m4, r4, r8
2B: f8, m4, m8, q8
30: r4
31: r4, r8
33: i4, m4, m8
38: m4, r4
39: m4, m8, q8, r2, r4, r8
3A: i4, m4
3B: m4, m8
3C: r4
3D: r4, r8
50+r: r8
58+r: r8
63: i8, m8, r8
6A: r8
6B: r4
70+cc: r8:23456789cdef
80 /1: m4
80 /4: m4, r4
80 /7: i4, m4, r4
81 /0: r8
81 /4: r4, r8
81 /5: r8
81 /7: r4, r8
83 /0: m4, m8, r4, r8
83 /1: r4, r8
83 /4: r4, r8
83 /5: m4, r4, r8
83 /6: r4
83 /7: i4, m2, m4, m8, r2, r4, r8
84: r4
85: r2, r4, r8
88: i4, m4
89: f8, i2, i4, i8, m2, m4, m8, q4, q8, r4, r8
8A: i4, m4
8B: f8, i4, i8, m4, m8, q4, q8
8D: i4, i8, m4, m8, q8
90: r2, r4
98: r8
9C: r8
A8: r4
A9: r4
B8+r: r4, r8
C1 /0: r4
C1 /1: r4
C1 /4: r4, r8
C1 /5: r2, r4, r8
C1 /7: r4, r8
C3: r8
C6 /0: i4, m4
C7 /0: m4, m8, r8
D1 /0: r4
D1 /5: r4, r8
D3 /4: r4, r8
D3 /5: r4, r8
D8 C8+i: r4
DC /0: m4
DC /1: m4
DD /0: m4
DD /3: m4
E8: r8
E9: r8
EB: r8
F6 /0: m4, r4
F7 /0: m4, m8, r4, r8
F7 /2: r4, r8
F7 /3: r4, r8
FA: r4
FB: r4
FF /0: i4, m4, m8, q4, r4, r8
FF /1: m4, q4, r4, r8
FF /2: m8
FF /4: q8, r8
FF /6: m8
`;

/** The pairs of them, one in a thousand or more, in the notation of the list of hot pairs. */
export const FREQUENT_PAIRS_32 = `
01 r4: 8B m4, 31 r4, 89 m4, 39 r4, 89 r4, 01 r4, 8D i4
29 r4: 89 m4
2B f4: 70+cc r4:5
31 r4: 89 m4, 89 r4, 8B m4, 01 r4, C1 /1 r4, C1 /0 r4, 8D m4
39 m4: 70+cc r4:45
39 r4: 70+cc r4:2345, 89 r4
3C r4: 70+cc r4:4
50+r r4: 50+r r4, 89 r4, 8B m4, 83 /5 r4, E8 r4
58+r r4: 58+r r4, C3 r4
80 /7 m4: 70+cc r4:45
83 /0 r4: 58+r r4, 83 /7 r4, 89 m4, 83 /0 r4, 85 r4
83 /5 r4: 89 m4, 8B m4, E8 r4, 50+r r4
83 /7 r4: 70+cc r4:4567
84 r4: 70+cc r4:45
85 r4: 70+cc r4:45
89 i4: 83 /0 r4
89 m4: 8B m4, 89 m4, 89 r4, 31 r4, 8D m4, 85 r4, 01 r4, C1 /1 r4, B8+r r4, E8 r4
89 r4: 50+r r4, 8B m4, 89 r4, E8 r4, 58+r r4, C1 /5 r4, 83 /5 r4, C1 /1 r4, 83 /4 r4, 89 m4, 31 r4, 85 r4, 83 /0 r4, 8D m4, B8+r r4, C1 /0 r4
8B m4: 8B m4, 89 m4, 01 r4, 89 r4, 85 r4, 31 r4, C1 /1 r4, 39 r4, E8 r4, C3 r4, 8D m4, 8D i4, 83 /0 r4, C1 /0 r4, 39 m4, B8+r r4, 2B f4, 8B i4, C9 r4, 03 m4, C7 /0 m4
8D i4: 8B m4, 89 m4, 31 r4
8D m4: 50+r r4, 89 m4, 8B m4, 58+r r4, 89 r4, 8D m4
A1 f4: 89 m4
B8+r r4: 89 r4, E8 r4
C1 /0 r4: 01 r4, 8D i4, 31 r4
C1 /1 r4: 01 r4, 89 m4, 8D i4
C7 /0 m4: C7 /0 m4, 89 m4
F6 /0 m4: 70+cc r4:5
FF /6 m4: 8B m4
`;

/** The same of 64-bit code. */
export const FREQUENT_PAIRS_64 = `
01 r4: 31 r4, 8B m4, 01 r4, C1 /1 r4, 89 r4, 89 m4, C1 /0 r4
01 r8: 39 r8
0F 1F i4: 50+r r8, 8B m8
0F AF r8: 0F AF r8
0F B6 m4: 83 /0 r8
2B f8: 70+cc r8:5
31 r4: 01 r4, C1 /1 r4, 89 r4, 31 r4, C1 /0 r4, 8B m4, 89 r8, 58+r r8
39 r4: 70+cc r8:235
39 r8: 70+cc r8:2345
50+r r8: 50+r r8, 89 r8, 89 r4, 83 /5 r8
58+r r8: 58+r r8, C3 r8, E9 r8
80 /7 m4: 70+cc r8:45
83 /0 r8: 39 r8, 58+r r8, 89 r8
83 /5 r8: 8B m8
83 /7 m8: 70+cc r8:4
83 /7 r4: 70+cc r8:47
84 r4: 70+cc r8:45
85 r4: 70+cc r8:45
85 r8: 70+cc r8:45
89 m4: 8B m4, 89 m4
89 m8: 89 m8, C3 r8, 8B m8, 31 r4, 89 r8, E8 r8, 8D m8
89 r4: 89 r8, 89 r4, 50+r r8, 8B m4, 01 r4, E8 r8, C1 /0 r4
89 r8: E8 r8, 89 r8, 50+r r8, 58+r r8, 89 r4, 8B m8, 85 r8, 83 /5 r8, 29 r8, 31 r4
8B f8: 89 m8
8B m4: 01 r4, 31 r4, C1 /1 r4, 8B m4, 8B m8, 85 r4, C1 /0 r4
8B m8: 8B m8, 89 r8, 85 r8, 89 m8, 2B f8, 8D m8, 39 r8, E8 r8, A8 r4
8D m8: 89 m8, 89 r8
A8 r4: 70+cc r8:5
B8+r r4: 89 r8
C1 /0 r4: 01 r4, 31 r4
C1 /1 r4: 01 r4, 31 r4
C1 /4 r8: 01 r8
C7 /0 m8: C7 /0 m8
F6 /0 m4: 70+cc r8:5
F6 /0 r4: 70+cc r8:45
`;
