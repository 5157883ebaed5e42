/**
 * BMI1 and BMI2 instructions with a VEX prefix (SDM volume 2, 2.3 and chapters 3 to 5). TZCNT, ADCX and ADOX have none and stand with the
 * general-purpose instructions.
 */
export const BMI = `
@BMI1
VEX NP 0F 38 F2 ANDN Gy,By,Ey
VEX NP 0F 38 F3 /1 BLSR By,Ey
VEX NP 0F 38 F3 /2 BLSMSK By,Ey
VEX NP 0F 38 F3 /3 BLSI By,Ey
VEX NP 0F 38 F7 BEXTR Gy,Ey,By
@BMI2
VEX NP 0F 38 F5 BZHI Gy,Ey,By
VEX F3 0F 38 F5 PEXT Gy,By,Ey
VEX F2 0F 38 F5 PDEP Gy,By,Ey
VEX F2 0F 38 F6 MULX Gy,By,Ey
VEX 66 0F 38 F7 SHLX Gy,Ey,By
VEX F3 0F 38 F7 SARX Gy,Ey,By
VEX F2 0F 38 F7 SHRX Gy,Ey,By
VEX F2 0F 3A F0 RORX Gy,Ey,Ib
`;
