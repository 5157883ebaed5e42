/**
 * SSE3 instructions on XMM registers (SDM volume 1 chapter 12, volume 2). FISTTP stands with x87, MONITOR and MWAIT with the system instructions.
 */
export const SSE3 = `
@SSE3
66 0F D0 ADDSUBPD Vpd,Wpd
F2 0F D0 ADDSUBPS Vps,Wps
66 0F 7C HADDPD Vpd,Wpd
F2 0F 7C HADDPS Vps,Wps
66 0F 7D HSUBPD Vpd,Wpd
F2 0F 7D HSUBPS Vps,Wps
F2 0F 12 MOVDDUP Vdq,Wq
F3 0F 12 MOVSLDUP Vps,Wps
F3 0F 16 MOVSHDUP Vps,Wps
F2 0F F0 LDDQU Vdq,Mdq
`;
