/**
 * Instructions that stand next to each other most: each pair is one handler of the dispatch function. Sampled over a boot of Debian's 686
 * and amd64 kernels and the workloads of the benchmark (`profile.ts --pairs` there prints them); what stood for less than one pair in 8000
 * is left out. A line is the first instruction, then those behind it: opcode in the notation of the tables, kind of operand and operand
 * size as in the list of hot shapes, and the condition where the form has one; J stands for conditional jumps, by pairs of conditions
 * (code >> 1).
 */
export const HOT_PAIRS_32 = `
01 i4: 40+r r4
01 r4: 8B m4, 89 m4, C1 /4 r4, 31 r4, 89 r4, 01 r4, 83 /0 r4, 89 m2, 8D i4, 39 r4, 81 /7 r4, 89 i4, 89 i2, C1 /0 r4, 8D m4, C1 /1 r4, D1 /5 r4, 40+r r4, EB r4
03 i4: 11 r4, 89 r4, 0F B6 r4, 8B i4, 01 r4, C1 /0 r4, 03 i4
03 m4: 8B m4, 01 r4, 03 i4, 89 r4
05 r4: 89 m4
09 m4: 40+r r4
09 r4: 31 r4, 39 r4
0F 40+cc m4:3: 01 r4, 0F B7 r4
0F 40+cc r4:2: 8B m4
0F 90+cc r4:2: C1 /5 r4, 03 i4, 29 r4
0F AF r4: 0F AF r4, 89 r4, 89 m4, 39 r4, 01 r4, 8B m4
0F B6 i4: C1 /4 r4, 8B m4, 01 r4
0F B6 m4: 8B m4, 84 r4, 83 /0 r4, 89 r4, 03 m4
0F B6 r4: C1 /5 r4, 8D i4, 83 /2 r4
0F B7 i4: 89 r4, 39 m4
0F B7 m4: 0F AF r4, 89 r4, B8+r r4
0F B7 r4: C1 /5 r4, 89 r4, 01 r4, 89 m4
0F BA /4 m4: J 1
11 r4: 89 i4
19 r4: J 1, 83 /4 r4
1B m4: 39 r4
21 m4: 89 m2
21 r4: 89 m4, 01 r4, 31 r4, 8B m4, 89 r4
23 m4: 89 m4, D3 /4 r4, 8B m4
25 r4: 89 m4, 80 /1 r4, 83 /7 r4
29 r4: 8B m4, 89 m4, C1 /7 r4, 40+r r4, 89 r4, 89 i2, 48+r r4, 89 m2, 88 r4, 29 r4, 01 r4, 39 r4
2B f4: J 2
2B m4: 1B m4, 39 r4
31 r4: 01 r4, 89 m4, 8B m4, 89 r4, 0F B6 r4, 21 r4, 8D m4, 39 r4, C1 /5 r4, 31 r4, EB r4, B8+r r4, C1 /1 r4
32 m4: 0F B6 r4
33 i4: 8B m4, 40+r r4
38 i4: J 2
38 m4: J 2
38 r4: J 2
39 m4: J 127
39 r4: J 12, 89 r4, 0F 90+cc r4:2, 0F 40+cc m4:3
3A m4: J 2
3B m4: J 12
3C r4: J 2, 8D m4
3D r4: J 23
40+r r4: 89 r4, 89 m2, EB r4, 8B m4, 80 /7 m4, B8+r r4, 3D r4, 89 m4, 81 /0 m4
48+r r4: J 24, 39 r4, 8B m4
50+r r4: 50+r r4, 89 r4, 83 /5 r4, E8 r4, 8B m4, F7 /3 r4
58+r r4: 58+r r4, C3 r4, EB r4, 39 m4
80 /1 r4: 89 m4
80 /7 m4: J 2
80 /7 r4: J 2
81 /0 m4: 39 m4
81 /0 r2: 89 i2
81 /0 r4: 39 r4, 89 m4, 89 r4, 0F B7 i4, 50+r r4, 83 /5 r4
81 /4 r4: 8B m4
81 /7 m4: J 2
81 /7 r2: J 1
81 /7 r4: J 3
83 /0 m4: 8B m4, E9 r4
83 /0 r4: J 2, 89 m4, 58+r r4, 8D i4, 83 /0 r4, 89 r4, 39 r4, 83 /7 r4, 8B m4, 89 i4, EB r4, 85 r4, 84 r4
83 /2 r4: 83 /0 r4, 01 r4
83 /4 r4: J 2, 3C r4, 83 /0 r4, 89 m4
83 /5 r4: 89 m4, 8B m4, E8 r4, FF /6 m4, 89 r4, 83 /7 r4, 50+r r4, C1 /5 r4
83 /7 m4: J 23, 19 r4
83 /7 r4: J 237
84 r4: J 24
85 r4: J 24
88 i4: 3B m4, 8B m4, 81 /7 m4
88 r4: D3 /5 r4
89 i2: 3D r4, 8B m4, 40+r r4, 83 /7 m4, E9 r4
89 i4: 89 r4, 01 r4, 83 /0 r4, 83 /2 r4, 39 m4, 89 i2, 8B m4
89 m2: 81 /7 r4, 83 /7 r4, 8B m4, 40+r r4, FF /0 m4, C1 /4 r4
89 m4: J 2, 8B m4, 89 r4, 29 r4, 01 r4, 0F B7 m4, 89 m4, 8B m2, 8A i4, B8+r r4, FF /1 m4, 31 r4, 8D m4, 8D i4, 89 m2, 83 /0 r4, 85 r4, 88 i4, 83 /7 r4, 83 /7 m4, E9 r4, 39 m4, 58+r r4, 2B m4, B0+r r4, 39 r4, 0F B6 i4, 23 m4, C7 /0 m4, 83 /0 m4, 29 m4, 83 /4 r4, A1 f4, 0F AF r4
89 r4: 8B m4, 0F B7 r4, C1 /5 r4, 89 r4, 8D i4, 01 r4, 0F 40+cc m4:3, C1 /5 r2, C1 /4 r4, E8 r4, 50+r r4, B8+r r4, 32 m4, 0F 90+cc r4:2, C1 /7 r4, 21 r4, 31 r4, 29 r4, 89 m4, 58+r r4, C1 /1 r4, C1 /0 r4, 81 /4 r4, 0F 40+cc r4:2, F7 /3 r4, F7 /2 r4, 8A m4, 19 r4, 83 /4 r4, 83 /0 r4, E9 r4, 83 /5 r4, EB r4, 83 /7 r4, A1 f4, 0F BA /4 m4, D1 /5 r4, 39 r4, 0F B7 m4, 85 r4
8A i4: 83 /4 r4, 88 i4, 88 m4
8A m4: 31 r4, 38 i4, 84 r4, D3 /4 r4, 38 m4
8B f4: 39 m4, 85 r4
8B i2: 81 /7 r2
8B i4: 89 r4, 29 r4, 8B m4, 83 /7 r4, 89 m4, 01 r4
8B m2: 89 r4
8B m4: 8B m4, 8B i4, 39 r4, 01 r4, 81 /0 r4, 8D i4, 0F 90+cc r4:2, 11 r4, 89 m4, 89 r4, 03 i4, 8D m4, 0F AF r4, 0F B7 r4, 81 /7 r4, 39 m4, 48+r r4, 21 r4, C3 r4, 0F B6 i4, C1 /4 r4, 85 r4, 83 /0 r4, 03 m4, 83 /7 r4, 0F B6 m4, 23 m4, 33 i4, 31 r4, 0F B6 r4, 29 r4, F7 /2 r4, 3B m4, 3D r4, 25 r4, E8 r4, 0F B7 i4, 83 /5 r4, 2B m4, E9 r4, 89 i4, 2B f4, C1 /1 r4, B8+r r4, D3 /5 r4, 83 /4 r4, D3 /4 r4, 8A i4, 01 i4, C1 /0 r4, C1 /5 r4, 0F B7 m4, C7 /0 r4, C7 /0 m4, 81 /4 r4
8D i4: 83 /0 r4, 8B m4, 01 r4, 89 m4, 81 /7 r4, 89 i4, 03 i4, 39 r4, 0F B7 i4, C1 /5 r4, 8A m4, 83 /0 m4, 89 r4, 0F B6 m4
8D m4: J 2, 89 m4, 8D m4, 50+r r4, 8B m4, 39 r4, 89 r4, 80 /7 m4, 58+r r4, 8B i4, 8B f4, 81 /7 r4
A1 f4: 89 m4
A8 r4: J 2
A9 r4: J 2
B0+r r4: 58+r r4
B8+r r4: 29 r4, EB r4, 8A m4, C7 /0 m4, 89 r4, 8B m4, 39 r4, 81 /0 r2
C1 /0 r4: 8D i4, 31 r4, 01 r4
C1 /1 r4: 89 r4, 01 r4, 8D i4, 31 r4, 89 m4
C1 /4 r4: 31 r4, 01 r4, 89 m4, 8B m4, 8D i4, 09 r4, 05 r4
C1 /5 r2: 29 r4
C1 /5 r4: 01 r4, 0F AF r4, 0F B7 m4, 89 r4, 33 i4, 8B m4, 89 m4, 31 r4
C1 /7 r4: 01 r4, 89 r4
C7 /0 m4: 89 m4, B8+r r4, C7 /0 m4
C7 /0 r4: 8B m4
C9 r4: C3 r4
D1 /5 r4: 89 m4
D3 /4 r4: 01 m4, B8+r r4, 09 m4
D3 /5 r4: 89 m4, 01 r4
F6 /0 m4: J 2
F6 /0 r4: J 2
F7 /0 r4: J 2
F7 /2 r4: 21 m4, 09 r4, 8B m4
F7 /3 r4: 83 /5 r4
FF /0 f4: 8B f4
FF /0 m4: 8B m4
FF /1 f4: J 2
FF /1 m4: J 2
FF /6 m4: 8B m4, E8 r4
`;

/** The same of 64-bit code. */
export const HOT_PAIRS_64 = `
01 m4: E9 r8
01 r4: C1 /5 r4, 89 m2, 89 r4, 89 m4, 21 r4, 31 r4, 89 i2, 01 r4, 8B m4, 0F B6 m4, B8+r r4, C1 /0 r4, 83 /7 r4, D1 /5 r4, 39 r8, 83 /7 r8, C1 /1 r4
01 r8: 39 r8, 01 r8, 89 r8, C1 /4 r8, 83 /0 r4, C1 /5 r8, 81 /7 r4, 39 r4, 38 i4, 3D r4, D1 /7 r8, 89 m8, FF /4 r8
03 i4: 01 r4, 0F B6 m4, F7 /2 r4, 03 i4
03 i8: 0F 90+cc r4:2, 89 r8
03 m4: 03 i4, C1 /0 r4, 31 r4, 01 r4, 83 /0 r8
03 m8: 11 r8, 0F B6 m4
05 r4: 01 r8
08 r4: J 2
09 r4: 31 r4, 83 /0 m4
09 r8: 63 r8, B8+r r8, 39 r8
0F 40+cc r4:6: 89 m4
0F 40+cc r4:7: 8D m4
0F 40+cc r8:3: 01 r8
0F 40+cc r8:4: 8B m8
0F 40+cc r8:7: 29 r4
0F 90+cc r4:2: 01 r8, 03 i8, 29 r8, C1 /5 r8
0F 90+cc r4:5: 39 r4, 08 r4
0F AF r4: 39 r4, 89 r4
0F AF r8: 0F AF r8, 89 r8
0F B6 i4: 8D m8, 88 i4, 01 r4, 8B m4, 3A i4
0F B6 m4: 83 /0 r8, 84 r4, 8B m4, 83 /7 r4, 03 i4, C1 /0 r4, 01 r4, 89 r4
0F B6 r4: 33 i4, 29 r8, 03 m8, F6 /0 m4, 01 r8
0F B7 i4: C1 /5 r4, 39 m4, 89 r8
0F B7 m4: 89 r4, B8+r r4
0F BA /4 m4: J 1
11 r8: 89 m8
19 r4: 83 /4 r4, 8D m8
21 r4: 01 r4, 8D i4, 29 r4, 81 /7 r4, 31 r4, 03 m4
21 r8: 09 r8, 85 r8, 85 r4
23 m4: 29 r4, C1 /4 r8
25 r4: 80 /1 r4, 83 /7 r4
25 r8: F7 /2 r8
29 r4: 89 r4, 29 r4, 83 /0 r4, 89 m2, E9 r8, C1 /7 r4, 89 m4, 89 i2, 01 r4, D3 /4 r8, 39 r4
29 r8: 8B i8, 11 r8, 39 r8, 31 r4, 89 r8, 83 /5 r8, 83 /7 r8
2B f8: J 2
2B m8: 39 r8
31 r4: C1 /5 r4, 89 r4, 01 r4, 85 r8, 8D i4, 21 r4, 83 /7 r4, 3B m8, 03 m4, 31 r4, C1 /1 r4, 89 r8, 03 i8, 58+r r8, 89 m8, EB r8, 8B i8, 8B m4, 50+r r8, E8 r8, 89 m4, C1 /0 r4
33 i4: 39 r8, EB r8
38 i4: J 2
38 m4: J 2
38 r4: J 2
39 m4: J 1
39 m8: J 12
39 r2: 0F 40+cc r4:2
39 r4: J 127, 0F 40+cc r4:7, 0F 90+cc r4:5
39 r8: J 12, 89 r8, 0F 90+cc r4:2, 0F 90+cc r4:5, 89 i8
3A i4: J 2
3A m4: J 2
3B m4: J 1
3B m8: J 1, 0F 40+cc r8:4
3B q8: J 1
3C r4: J 2
3D r4: J 3
50+r r8: 89 r8, 50+r r8, 89 r4, 8B m4, 83 /5 r8, 39 m4, 8B m8, 8B q8, B8+r r8, 8D m8
58+r r8: 58+r r8, C3 r8, 29 r4, 89 r4, 89 r8, E9 r8
63 i8: 01 r8
63 m8: 01 r8
63 r8: 29 r8, 01 r8, 8A m4, 50+r r8, 8B i8, 89 i8, 63 i8
80 /1 r4: 89 m4
80 /7 m4: J 2
80 /7 r4: J 23
81 /0 r8: 39 r4
81 /4 r4: 0F B7 i4
81 /4 r8: F7 /2 r8
81 /7 m4: J 2
81 /7 r4: J 3
81 /7 r8: J 2
83 /0 m4: E9 r8
83 /0 r4: J 2, 89 m4, 89 r4, 63 r8, 83 /7 r4, 83 /0 r4, 39 r4
83 /0 r8: 31 r4, 58+r r8, 39 r8, 84 r4, 89 r8, C1 /4 r8, 83 /0 r8, C6 /0 i4, E8 r8, 80 /7 m4, 81 /7 r8, 89 r4
83 /2 r8: 83 /0 r4
83 /4 r4: J 2, 80 /7 r4, 83 /0 r4, D1 /5 r4, 21 r8
83 /5 r4: J 2
83 /5 r8: 39 r8, 8B m8, 8B q8, 8B f8
83 /7 m8: J 2
83 /7 r4: J 23, 0F 40+cc r4:6, 89 i2, 8D m8
83 /7 r8: J 23
84 r4: J 24
85 r4: J 247
85 r8: J 2
88 i4: 3B m8, 8B m8, 81 /7 m4
89 i2: 81 /7 r4, 8D m8, E9 r8, 19 r4, 89 m2, FF /0 r8, 83 /0 r8
89 i8: 83 /2 r8, 83 /0 r8, 89 i2, C3 r8, 0F 90+cc r4:2
89 m2: 81 /7 r4, 39 r4, 83 /7 r4, 8D i8, 83 /0 r4, 89 r4, B8+r r4, 8B m4
89 m4: 0F B7 m4, 89 m4, 89 r4, 83 /5 r4, 29 r4, 8D m8, 8B m8, 8B m4, B8+r r4, C3 r8, 3B m8, E8 r8, 89 i2, 83 /7 r4, 31 r4, EB r8, 09 r4, 88 i4, 05 r4, 89 m8, 39 r8
89 m8: 0F B6 i4, 01 r8, 8B m4, C3 r8, 89 m8, B8+r r4, 88 i4, 31 r4, E8 r8, 8B m8, 58+r r8, 89 m4, 89 r8
89 r4: 01 r4, 8D i8, C1 /7 r4, C1 /5 r8, C1 /5 r2, 89 m4, 29 r4, 89 r8, 89 r4, 8D i4, 8B m4, 39 r4, 0F B7 i4, 50+r r8, F7 /2 r4, 31 r4, 39 m8, C1 /5 r4, D3 /5 r4, 23 m4, C3 r8, D3 /4 r4, C1 /4 r8, 58+r r8, C1 /1 r4, 63 r8, C1 /0 r4, 83 /7 r4, 83 /4 r4, 8D m8, 03 m4, E9 r8, 21 r4, E8 r8, 0F B6 m4, 03 i4, 25 r4
89 r8: 39 r8, 83 /5 r4, 89 r4, 0F AF r8, 89 r8, 50+r r8, 01 r8, 0F 40+cc r8:3, E8 r8, C1 /4 r8, 29 r8, 58+r r8, 0F 40+cc r8:7, 89 i8, 8B m8, C1 /5 r8, 8A m4, 83 /5 r8, 31 r4, 8D m8, 29 r4, 19 r4, 85 r8, 0F B6 i4, 83 /0 r8, 0F BA /4 m4, 25 r8, 21 r8, 83 /4 r4, B8+r r4, 83 /4 r8, EB r8, 81 /5 r8, 89 m8
8A i4: 8A i4
8A m4: FF /0 r8, 01 r8, 84 r4, 38 m4
8B f8: 89 m8
8B i2: B8+r r4
8B i4: C1 /0 r4, 01 r4
8B i8: 8D i8, 89 r8, 03 i8
8B m4: 8B m4, 89 r4, 81 /7 r4, 8B m8, 8D i8, 21 r4, B8+r r4, 31 r4, 89 m4, E9 r8, 58+r r8, 25 r4, 89 r8, 03 m4, 01 r4, FF /0 r4, 85 r4, 8D m4, 39 m4, 8D m8, 89 m8, C1 /1 r4, 83 /0 r8
8B m8: 8D m8, 89 r8, 8B m8, 0F B6 r4, 89 r4, C1 /4 r4, 0F B6 i4, 39 m8, E9 r8, 31 r4, 2B m8, 2B f8, 89 m8, 85 r8, E8 r8, 3B m8, 83 /7 r4, 8B m4, 8D m4, 81 /4 r8, 39 r8, 89 m4, A8 r4
8B q8: 8B m8, 89 r8
8D i4: 01 r4, C1 /1 r4, 89 r4, 8B i4
8D i8: 81 /7 r4, 89 r8, 01 r8, 8B m4, 89 r4, C1 /4 r8, 83 /7 r4, B8+r r4, C1 /5 r4, 63 m8, 89 m8
8D m4: 83 /7 r4, 8D m4, 89 m4, B8+r r4, 8B m4, 63 r8, 80 /7 r4
8D m8: 89 m8, 83 /4 r4, 8D m8, 89 r4, 29 r8, 89 r8, 85 r8, B8+r r4, C1 /5 r8, 39 r8, 39 m8
A8 r4: J 2
A9 r4: J 2
B8+r r4: 89 r4, B8+r r4, EB r8, 89 m4, 29 r4, 89 r8, 83 /0 r8, 39 r2, 39 r4, E8 r8, C1 /4 r4, D3 /4 r4, E9 r8
B8+r r8: 83 /4 r4
C1 /0 r4: 31 r4, 01 r4, C1 /0 r4, 89 r4, 8B i4
C1 /1 r4: 01 r4, 31 r4, C1 /1 r4, 21 r4
C1 /4 r4: 89 m4, C1 /4 r4, B8+r r4
C1 /4 r8: 01 r8, 8D i8, B8+r r4, 89 r4, 03 m8, EB r8
C1 /5 r2: 29 r4, 89 m4
C1 /5 r4: 0F AF r4, 0F B6 r4
C1 /5 r8: 01 r8, 89 r8, 8B m8, 0F B6 r4, C1 /7 r8
C1 /7 r4: 01 r4, 21 r4
C1 /7 r8: 01 r8
C6 /0 i4: 84 r4
C7 /0 m8: C7 /0 m8
D1 /5 r4: 29 r4, 8D m4
D1 /7 r8: 8D i8
D3 /4 r4: 01 m4, 89 m4
D3 /4 r8: 89 r4
D3 /5 r4: 89 r4, 29 r4
F6 /0 m4: J 2
F6 /0 r4: J 2
F7 /0 r4: J 2
F7 /2 r4: 21 r4, FF /0 r8, 09 r4
F7 /2 r8: 21 r8, 03 q8
FF /0 r4: D3 /4 r4
FF /0 r8: 31 r4, 81 /0 r8, 21 r4, 81 /7 r8, 80 /7 m4
FF /1 m4: J 2
FF /1 r4: J 24
`;
