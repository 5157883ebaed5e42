export { bareMachine, type BareMachine, type BareMachineOptions } from "./bare-machine.ts";
