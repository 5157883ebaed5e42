/** Guest page walks and the software TLB. */
export { EXECUTE, PF_I, PF_P, PF_RSVD, PF_U, PF_W, READ, Translation, WRITE, createPagingMode, loadPdptes, walk } from "./page-walk.ts";
export type { Access, PagingMode } from "./page-walk.ts";
export type { PhysicalMap, TableMemory } from "./physical.ts";
export { Mmu } from "./mmu.ts";
export {
  TLB_ENTRIES, TLB_EXEC_TAG, TLB_HOST, TLB_MASK, TLB_READ_TAG, TLB_SHIFT, TLB_SIZE, TLB_VIEWS, TLB_VIEW_SIZE,
  TLB_WRITE_TAG, Tlb, VIEW_CHECKED, VIEW_NONE, VIEW_OPEN, VIEW_SUPERVISOR, VIEW_USER,
} from "./tlb.ts";
