/** All inputs of a group, whatever its family. */
import type { Group } from "./host-vectors-groups.ts";
import { integerCases } from "./host-vectors-integer.ts";
import { simdCases } from "./host-vectors-simd.ts";
import { x87Cases } from "./host-vectors-x87.ts";
import type { CaseRecord } from "./host-vectors-record.ts";

/** Writes every input of the group into `record` in turn. */
export function casesOf(group: Group, record: CaseRecord): Generator<void> {
  if (group.family === "integer" || group.family === "extensions") return integerCases(group, record);
  return group.family === "x87" ? x87Cases(group, record) : simdCases(group, record);
}
