/** Where the places of a region are in the host's memory, and back. */
import { PAGE_SIZE } from "@doppel/x86";
import { edgesOf, type Region } from "./region.ts";

/** Host address of a place in a region. */
export function hostAt({ pages }: Pick<Region, "pages">, at: number): number {
  const distance = Math.floor(at / PAGE_SIZE);
  return pages.get(distance)! + at - distance * PAGE_SIZE;
}

/** The place in a region that has a host address; NaN where its page is not the region's. */
export function placeOf(pages: Region["pages"], host: number): number {
  const [distance] = [...pages].find(([, page]) => page === host - (host % PAGE_SIZE)) ?? [NaN];
  return distance * PAGE_SIZE + (host % PAGE_SIZE);
}

/** Host addresses of a region's instructions. @param own without those of functions that it calls */
export function codeOf(region: Region, own: boolean): Uint32Array {
  const out: number[] = [];
  for (const block of region.blocks.values()) {
    if (own && !block.own) continue;
    for (const { at } of block.instructions) out.push(hostAt(region, at));
    if ("jump" in block.end && block.end.jump !== undefined) out.push(hostAt(region, block.end.jump));
  }
  return Uint32Array.from(out);
}

/** Host addresses of the places at which its own code leaves it by direct jumps, and did not lead when it was formed. */
export function exitsOf(region: Region): Uint32Array {
  const out: number[] = [];
  const add = (at: number): void => {
    if (region.pages.has(Math.floor(at / PAGE_SIZE))) out.push(hostAt(region, at));
  };
  for (const block of region.blocks.values()) {
    if (!block.own) continue;
    if (block.end.kind === "leave") add(block.end.at);
    else for (const { at, block: to } of edgesOf(block.end)) if (to < 0) add(at);
  }
  return Uint32Array.from(out);
}
