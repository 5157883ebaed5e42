/**
 * The handlers that are functions of their own and that usual systems ask for beside a translator: all that boots of Debian's 686 and amd64 kernels
 * and the works of the benchmark met, but for what needs the host's SIMD. They are made when the package is built (`stock.ts`); any other is made when it is
 * met. A line is opcodes in the notation of the tables, then kinds of operand and operand sizes as in the list of frequent shapes: r register or none,
 * m memory, f memory through FS or GS, q memory relative to RIP; p behind the size stands for REP, n for REPNE.
 */
export const USUAL_32 = `
00; 06; 07; 0C; 0E; 0F 00 /2; 0F 00 /3; 0F 09; 0F 0B; 0F 22; 0F 23; 0F 30; 0F 32; 0F 34; 0F 35; 0F A0; 0F A1; 0F A2; 0F A4; 0F A5; 0F A8; 0F AD: r4
0F BF; 16; 18; 1C; 1E; 1F; 24; 34; 35; 68; 80 /1; 80 /3; 81 /2; 86; 90+r; 98; 9A; 9B; 9D; B0+r; C0 /0; C0 /5; C0 /7; C2; CB; CC; CF; D1 /4; D3 /0: r4
D3 /7; D8 C0+i; D8 F0+i; D9 C0+i; D9 E0; D9 E1; D9 E4; D9 E5; D9 E8; D9 EE; D9 FA; DA E9; DB E3; DB E8+i; DD E0+i; DD E8+i; DE C0+i; DE C8+i: r4
DE E0+i; DF E8+i; E4; E6; EA; EC; EE; F3 90; F4; F6 /3; FD; FE /1: r4
01; 83 /7: f4, m2, m4
02; 0A; 0F 01 /0; 0F 01 /2; 0F 01 /3; 0F 01 /7; 0F AF; 0F B2; 11; 13; 1B; 22; 2A; 32; 69; 6B; 80 /0; 80 /2; 80 /4; 81 /6; 83 /6; 84; 8E; 8F /0; AC: m4
C1 /4; D0 /4; D0 /7; D3 /4; D3 /5; D8 /0; D9 /5; D9 /7; DB /0; DB /3; DB /5; DB /7; DC /4; DC /6; DC /7; DD /2; DD /7; DF /3; DF /5; DF /7; F6 /0: m4
F7 /3; F7 /4; F7 /6; FF /4; NP 0F AE /0; NP 0F AE /1: m4
03: m2
05; 25; 3D; 40+r; A9; B8+r; C1 /0: r2
08; 0F A3; 0F AB; 0F B3; 0F BA /4; 0F BA /5; 0F BB; 0F BC; 0F BD; 20; 80 /5; 80 /6; 83 /3; 87; D0 /5; F7 /5; F7 /7; FE /0: m4, r4
09; C7 /0: f2, f4, m2, m4
0B; 0F BE; 23; 2B; 3B; 81 /7; 83 /0; 83 /5: m2, m4
0D; 2D; 8C; ED; EF: r2, r4
0F 40+cc: m2:45, m4:23456789cde, r4:9cdef
0F 80+cc: r4:09acd
0F 90+cc: m4:234567ef, r4:03678cdef
0F B0; 80 /7; 88; 8A: f4
0F B1; 0F C1; 0F C7 /1; 81 /0; A0; A2; C6 /0; FF /1; FF /6: f4, m4
19; 31; 81 /5; 85; C1 /5; D1 /5: m4, r2
21; 83 /4: m2, m4, r2
33; FF /0: f4, m2
39; F7 /0: m2, r2
70+cc: r4:01a
81 /1: f4, m2, m4, r2, r4
81 /4: f4, m2, r2
83 /1: f2, m2, m4
89: f4, r2
8B; A3: f2, f4, m2
A1: f2, m2
A4; AA: m4, m4p
A5: m2, m4p
A6: m4p
AB: m2p, m4p
AE: m4, m4n
D1 /7: m2, r4
FF /2: f4, m4, r4
`;

/** In 64-bit code. */
export const USUAL_64 = `
00; 05; 0C; 0F 00 /2; 0F 00 /3; 0F 02; 0F 09; 0F 0B; 0F 1E; 0F 30; 0F 32; 0F A2; 18; 1C; 24; 28; 2C; 34; 35; 80 /2; 80 /3; 81 /3; 86; 8E; 90+r; 9B: r4
B0+r; C0 /0; C0 /5; C0 /7; CC; D0 /5; D9 C0+i; D9 C8+i; D9 E1; D9 E5; D9 FA; DB E3; DB E8+i; DD D8+i; DE C0+i; DE C8+i; DF E0; DF E8+i; E4; E6; EC: r4
EE; F3 90; F4; F6 /3; FC; FD; FE /1: r4
01: f4, f8, m2, m8, q4, q8
02; 0A; 0F 01 /7; 32; 80 /5; 84; D0 /4; D0 /7; D9 /7; DC /4; DC /5; DC /7; DD /2; DD /7: m4
03: f8, m2, q4
08; 80 /6: m4, r4
09: f2, f4, m4, m8, q2, q4, q8
0B; 83 /0; 83 /5: m2, m4, m8, q4, q8
0D; 2D; 83 /3: r2, r4, r8
0F 01 /0; 0F BB; D3 /4; D3 /5; FF /4: m8
0F 01 /2; 0F 01 /3; NP 0F AE /1: m8, q8
0F 07; 0F 23; 0F A5; 0F AC; 0F AD; 11; 68; 9D; C1 /1; C9; CB; CF; D1 /0; F7 /5: r8
0F 1F: m2
0F 40+cc: m4:45d, m8:349, q4:245, q8:45, r4:34689cdef, r8:19cdef
0F 80+cc: r8:09ad
0F 90+cc: m4:2345f, q4:35, r4:0368acdef
0F A3; 0F BA /5; 69: m8, q4, q8, r4, r8
0F AB; FF /2: m8, q8, r8
0F AF: m4, m8, q4, q8
0F B0: f4
0F B1: f4, f8, m8, q4, q8
0F B3: m8, q8, r4, r8
0F B6; NP 0F AE /0: m8, q4
0F B7; 3A: q4
0F BA /4; 83 /2; F7 /7: m4, r4, r8
0F BA /6: m8, r8
0F BC: m8, q8, r4
0F BD; 87; F7 /6: m4, m8, q4, q8, r4, r8
0F BE: m2, m4, m8, q4, r4, r8
0F BF: m4, m8, q4, r4
0F C1: f2, f4, m4, m8, q4, q8
19; A9; C1 /0: r2, r8
20; 80 /0: m4, q4, r4
21; 83 /4: m2, m4, m8, q4, q8, r2
22; 38; 80 /4; DB /5; F6 /0: m4, q4
23; 2B; 39: m2, m4, m8, q4
25; 31; 3D; B8+r; D1 /5: r2
29: m8, q4, q8
33: f8, m2, m8, q4
3B: f8, m2, m4, m8, q2, q4, q8
63: q8
6B: m4, q4, q8, r8
70+cc: r8:0a
80 /1; FE /0: q4, r4
80 /7; 8A; C6 /0: f4, q4
81 /0: f4, f8, m4, m8, q8, r2, r4
81 /1: f4, m2, m4, m8, q4, q8, r2, r4, r8
81 /4: f4, m2, m4, m8, q4, q8, r2
81 /5: m4, m8, r2, r4
81 /6: m4, r2, r4, r8
81 /7: m2, m4, m8, q2, q4, q8, r2
83 /1: m2, m4, m8, q2, q4, q8
83 /6: m4, r8
83 /7: f4, f8, m2, m8, q2, q4, q8
85: m4, m8
88: f4, q4, r4
89: f2, f4, f8, q2, r2
8B: f2, f4, f8, m2, q2
8C; ED; EF: r2, r4
99; D3 /0; D3 /7: r4, r8
A4: m4, m4p
A5: m2, m4p, m8, m8p
A6; AA: m4p
AB: m2p, m4p, m8p
C7 /0: f2, f4, f8, m2, m4, m8, q2, q4, q8
D1 /7: m2, r4, r8
F7 /0: m2, q4, r2
F7 /4: q8, r4, r8
FF /0: f4, f8, m2, q8
FF /1: f4, f8, m8, q8
FF /6: f8, m8, q8
`;
