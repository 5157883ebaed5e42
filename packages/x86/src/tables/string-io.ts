/**
 * String and port instructions (SDM volume 2; REP rules: volume 1 section 7.3.9). X is [segment:rSI], Y is [ES:rDI] (no override).
 * The mnemonic has no size suffix: the size is in the operand (`b`, or `v`/`z` for the operand size).
 */
export const STRING_IO = `
A4 MOVS Yb,Xb
A5 MOVS Yv,Xv
A6 CMPS Xb,Yb
A7 CMPS Xv,Yv
AA STOS Yb,AL
AB STOS Yv,rAX
AC LODS AL,Xb
AD LODS rAX,Xv
AE SCAS AL,Yb
AF SCAS rAX,Yv
6C INS Yb,DX
6D INS Yz,DX
6E OUTS DX,Xb
6F OUTS DX,Xz
D7 XLAT
E4 IN AL,Ib
E5 IN eAX,Ib
E6 OUT Ib,AL
E7 OUT Ib,eAX
EC IN AL,DX
ED IN eAX,DX
EE OUT DX,AL
EF OUT DX,eAX
`;
