export { CountTime, HostTime } from "./time-source.ts";
export type { TimeSource } from "./time-source.ts";
export { Clock } from "./clock.ts";
export type { ClockState, Timer } from "./clock.ts";
export { Alarm } from "./alarm.ts";
export { Frequency } from "./frequency.ts";
