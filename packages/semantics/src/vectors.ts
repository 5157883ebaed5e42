/** Exception vectors that definitions raise themselves (SDM volume 3, table 6-1). */
export const VECTOR_DE = 0;
export const VECTOR_DB = 1;
export const VECTOR_BR = 5;
export const VECTOR_UD = 6;
export const VECTOR_NM = 7;
export const VECTOR_SS = 12;
export const VECTOR_GP = 13;
export const VECTOR_MF = 16;
export const VECTOR_XM = 19;
