/** All inputs of a group, whatever its family. */
import type { Group } from "./host-vectors-groups.ts";
import { integerCases } from "./host-vectors-integer.ts";
import type { CaseRecord } from "./host-vectors-record.ts";

/** Writes every input of the group into `record` in turn. */
export function casesOf(group: Group, record: CaseRecord): Generator<void> {
  return integerCases(group, record);
}
