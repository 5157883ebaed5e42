export { bareMachine, type BareMachine, type BareMachineOptions } from "./bare-machine.ts";
export { readMoo, type MooTest } from "./moo.ts";
export { runSst286, type VectorReport } from "./sst286.ts";
export { type GroupOutcome, runHostVectors } from "./host-vectors.ts";
