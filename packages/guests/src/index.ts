export { embeddedGuest } from "./embedded-guest.ts";
export type { EmbeddedGuest } from "./embedded-guest.ts";
export type { GuestCommand } from "./embedded/commands.ts";
